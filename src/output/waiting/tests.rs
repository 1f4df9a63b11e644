//! The tree on made-up looks.

use std::sync::Arc;

use super::*;
use crate::event::script::{Script, exited};
use crate::event::{
    BlockedCall, Comm, EventKind, Frame, Function, KernelObject, OtherEnd, PipeSide, Stack,
};
use crate::kernel::Signal;

/// A thread in a call.
fn task(pid: i32, parent: i32, argv: &[&str], call: &str) -> BlockedTask {
    BlockedTask {
        tid: Tid::new(pid),
        tgid: Tgid::new(pid),
        parent: Tgid::new(parent),
        comm: Comm::new(argv.first().map_or(b"", |word| word.as_bytes())),
        argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        state: b'S',
        call: Some(BlockedCall {
            name: call.to_owned(),
            argument: None,
        }),
        asleep: Some(3_000_000_000),
        is_older: false,
        handled: 0,
        on: Vec::new(),
        more: 0,
    }
}

fn shown_tree(script: &Script, tasks: Vec<BlockedTask>, width: Option<usize>) -> String {
    let mut ledger = Ledger::new();
    for event in &script.events {
        ledger.apply(event);
    }
    let look = WaitingLook {
        cause: LookCause::Asked,
        tasks,
    };
    tree(&look, Moment(5_000_000_000), &ledger, width).unwrap_or_default()
}

#[test]
fn many_zombies_of_a_parent_are_one_line() {
    let tree = |count: i32| {
        let mut script = Script::launched(10);
        let mut tasks = vec![task(10, 1, &["sh"], "wait4")];
        for child in 11..11 + count {
            script.fork(10, child).end(child, exited(0));
        }
        script.fork(10, 99);
        tasks.push(task(99, 10, &["sleep", "9"], "clock_nanosleep"));
        shown_tree(&script, tasks, None)
    };
    assert_eq!(tree(6).matches("zombie for").count(), 6);
    let many = tree(40);
    assert!(many.contains("├ 40 zombies"), "{many}");
    assert!(many.contains("└ 99 sleep 9"), "{many}");
    assert_eq!(many.lines().count(), 4, "{many}");
}

#[test]
fn children_that_were_killed_and_reaped_are_shown_but_for_those_that_their_parent_killed() {
    let mut script = Script::launched(10);
    let mut child = |pid: i32, status: i32, by: Option<i32>| {
        script.fork(10, pid);
        if let Some(by) = by {
            script.kill(by, pid, Signal::KILL);
        }
        script.end(pid, status);
        script.enter(10, pid, 0);
        script.leave(10, pid, 0, Ok((pid, status)));
    };
    child(11, exited(1), None);
    child(12, Signal::TERM.raw(), None);
    child(13, Signal::KILL.raw(), Some(10));
    let tasks = || vec![task(10, 1, &["pool"], "futex")];
    let healthy = shown_tree(&script, tasks(), None);
    assert_eq!(healthy.lines().count(), 2, "{healthy}");
    let child = |script: &mut Script, pid: i32, signal: Signal| {
        script.fork(10, pid).end(pid, signal.raw());
        script.enter(10, pid, 0);
        script.leave(10, pid, 0, Ok((pid, signal.raw())));
    };
    child(&mut script, 14, Signal::KILL);
    let one = shown_tree(&script, tasks(), None);
    assert!(one.contains("  └ 14 "), "{one}");
    assert!(
        one.ends_with("  killed by SIGKILL 5.0 s ago, and reaped\n"),
        "{one}"
    );
    for pid in [15, 16, 17] {
        child(&mut script, pid, Signal::SEGV);
    }
    script.fork(10, 18);
    let mut living = tasks();
    living.push(task(18, 10, &["pool"], "futex"));
    let text = shown_tree(&script, living, None);
    let lines: Vec<&str> = text.lines().skip(2).collect();
    let [more, first, _, last, alive] = lines[..] else {
        panic!("{text}");
    };
    assert!(more.contains("├ 1 "), "{text}");
    assert!(
        more.ends_with("or more killed before, and reaped"),
        "{text}"
    );
    assert!(first.contains("├ 15 "), "{text}");
    assert!(
        last.contains("├ 17 ") && last.contains("killed by SIGSEGV "),
        "{text}"
    );
    assert!(alive.contains("└ 18 "), "{text}");
}

#[test]
fn words_go_on_under_themselves_where_a_terminal_is_narrow() {
    let text = "read(3) for 10.0 s on the pipe that 17 sleep holds";
    let lines = wrapped(text, Some(24));
    assert_eq!(
        lines,
        ["read(3) for 10.0 s on", "the pipe that 17 sleep", "holds"]
    );
    assert_eq!(wrapped("exactly twenty-four here", Some(24)).len(), 1);
    assert_eq!(wrapped(text, None), [text]);
    assert_eq!(wrapped(text, Some(10)), [text], "no room for words");
    let long = "x".repeat(40);
    assert_eq!(wrapped(&long, Some(24)), [long.as_str()]);
}

#[test]
fn a_wait_stands_above_the_child_that_keeps_it() {
    let mut script = Script::launched(10);
    script.after(100).fork(10, 11);
    script.after(100).enter(10, -1, 0);
    let tasks = vec![
        task(10, 1, &["bash", "-c", "sleep 1000 & wait $!"], "wait4"),
        task(11, 10, &["sleep", "1000"], "clock_nanosleep"),
    ];
    let text = shown_tree(&script, tasks, None);
    let expected = "after 5.0 s, who waits for whom:\n  \
        10 bash -c 'sleep 1000 & wait $!'  wait4(-1) for 4.8 s\n  \
        └ 11 sleep 1000                    clock_nanosleep for 3.0 s\n";
    assert_eq!(text, expected);
}

#[test]
fn a_wait_says_from_where_it_was_made_where_that_is_known() {
    let mut script = Script::launched(10);
    script.after(100).fork(10, 11);
    script.after(100).enter(10, 11, 0);
    let line = Function {
        name: Some("wait_for".to_owned()),
        file: Some("/srv/job.py".to_owned()),
        line: Some(12),
        ..Function::default()
    };
    let frame = Frame::new(Some(b"/srv/job".as_slice().into()), 8, vec![line]);
    for event in &mut script.events {
        if let EventKind::WaitEntered(entry) = &mut event.kind {
            let frames = vec![Arc::new(frame.with_script(Vec::new()))];
            entry.stack = Some(Arc::new(Stack::new(frames, None)));
        }
    }
    let tasks = vec![
        task(10, 1, &["job"], "wait4"),
        task(11, 10, &["sleep", "9"], "clock_nanosleep"),
    ];
    let text = shown_tree(&script, tasks, None);
    let expected = "wait4(11) for 4.8 s, from wait_for at job.py:12\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn nothing_alive_is_no_tree() {
    let mut script = Script::launched(10);
    script.end(10, exited(0));
    assert_eq!(shown_tree(&script, Vec::new(), None), "");
}

/// The words about a thread that waits for these things.
fn words_of(on: Vec<WaitsOn>, more: usize) -> String {
    let mut script = Script::launched(10);
    script.after(100).fork(10, 11);
    let waiter = BlockedTask {
        on,
        more,
        ..task(11, 10, &["prog"], "poll")
    };
    let tasks = vec![task(10, 1, &["python3", "run.py"], "pause"), waiter];
    let text = shown_tree(&script, tasks, None);
    let line = text.lines().find(|line| line.contains("11 prog")).unwrap();
    let (_, words) = line.split_once("poll for 3.0 s").unwrap();
    words.to_owned()
}

fn side(pid: i32, comm: &str) -> PipeSide {
    PipeSide {
        tgid: Tgid::new(pid),
        comm: Comm::new(comm.as_bytes()),
        fd: 3,
    }
}

fn stream(is_pipe: bool, others: &[PipeSide], complete: bool) -> WaitsOn {
    WaitsOn::Stream {
        fd: 5,
        is_pipe,
        writes: false,
        others: others.to_vec(),
        complete,
    }
}

#[test]
fn alike_things_are_named_together_and_a_holder_once() {
    let own = stream(true, &[side(11, "prog")], true);
    let held = stream(true, &[side(10, "python3")], true);
    let socket = stream(false, &[side(10, "python3")], true);
    let mut all = vec![own.clone(); 12];
    all.extend([held.clone(), held.clone(), socket.clone()]);
    assert_eq!(
        words_of(all, 0),
        " on 12 pipes whose other ends it alone holds, and 2 pipes and the socket that 10 python3 \
         run.py holds"
    );
    assert_eq!(
        words_of(vec![own, held], 22),
        " on a pipe whose other end it alone holds, and the pipe that 10 python3 run.py holds, and \
         22 more"
    );
    let many = (0..9).map(|index| WaitsOn::Connection {
        fd: index,
        local: "10.0.0.1:9".to_owned(),
        peer: Some(format!("10.0.0.2:{index}")),
    });
    let words = words_of(many.collect(), 3);
    assert!(words.ends_with("10.0.0.2:3, and 8 more"), "{words}");
}

#[test]
fn an_end_that_was_not_found_is_not_said_to_be_nowhere() {
    let words = words_of(vec![stream(true, &[], true)], 0);
    assert_eq!(
        words,
        " on a pipe whose other end no process was seen to hold (perhaps a socket has it in flight)"
    );
    assert_eq!(words_of(vec![stream(true, &[], false)], 0), " on a pipe");
    let own = stream(true, &[side(11, "prog")], false);
    let words = words_of(vec![own], 0);
    assert_eq!(words, " on a pipe whose other end it holds itself");
}

#[test]
fn a_mutex_has_the_words_of_its_holder() {
    let words = |holder, is_shared| words_of(vec![WaitsOn::Mutex { holder, is_shared }], 0);
    let (own, other) = (Tgid::new(11), Tgid::new(10));
    let tid = Tid::new(12);
    let thread = MutexHolder::Thread;
    assert_eq!(
        words(Some(thread(own, tid)), false),
        " on a mutex that thread 12 holds"
    );
    assert_eq!(
        words(Some(thread(other, tid)), true),
        " on a mutex that thread 12 of 10 python3 run.py holds"
    );
    assert_eq!(
        words(Some(thread(other, other.leader())), true),
        " on a mutex that 10 python3 run.py holds"
    );
    assert_eq!(
        words(Some(MutexHolder::Dead(tid)), false),
        " on a mutex that thread 12 holds, which is dead"
    );
    assert_eq!(
        words(Some(MutexHolder::Ancestor(other, tid)), false),
        " on a mutex that was locked by thread 12 of its parent 10 python3 run.py when it was \
         forked"
    );
    assert_eq!(words(None, true), " on a mutex that processes share");
    assert_eq!(words(None, false), " on a mutex");
}

#[test]
fn a_wait_in_the_memory_of_one_thread_says_that_it_has_no_other() {
    let alone = ", and it has no other thread that could wake it";
    assert_eq!(words_of(vec![WaitsOn::NoOtherThread], 0), alone);
    // A copy of a process with threads.
    let mut script = Script::launched(10);
    script.thread(10, 20).fork(10, 11);
    let waiter = BlockedTask {
        on: vec![WaitsOn::NoOtherThread],
        ..task(11, 10, &["prog"], "futex")
    };
    let tasks = vec![task(10, 1, &["prog"], "pause"), waiter];
    let text = shown_tree(&script, tasks, None);
    assert!(
        text.contains(": perhaps a thread of 10 prog had it locked at the fork"),
        "{text}"
    );
}

#[test]
fn objects_of_the_kernel_have_words() {
    let object = |object| WaitsOn::Object { fd: 5, object };
    let words = |kind| words_of(vec![object(kind)], 0);
    assert_eq!(
        words(KernelObject::Eventfd),
        " on eventfd 5, a counter that a thread or process adds to"
    );
    assert_eq!(
        words(KernelObject::Signalfd { signals: 0x1_4000 }),
        " on signalfd 5 (SIGTERM, SIGCHLD)"
    );
    assert_eq!(
        words(KernelObject::Timerfd {
            left: Some(2_500_000_000)
        }),
        " on timerfd 5, which expires in 2.5 s"
    );
    assert_eq!(
        words(KernelObject::Timerfd { left: None }),
        " on timerfd 5, which is not set"
    );
    assert_eq!(
        words(KernelObject::Inotify { watches: 3 }),
        " on inotify 5, until one of 3 files and directories changes"
    );
    // That of an event loop is not what it waits for.
    let eventfd = object(KernelObject::Eventfd);
    let held = stream(true, &[side(10, "python3")], true);
    assert_eq!(
        words_of(vec![eventfd, held], 0),
        " on the pipe that 10 python3 run.py holds"
    );
}

#[test]
fn named_pipes_and_full_queues_have_words() {
    let fifo = |fd, end| WaitsOn::File {
        fd,
        path: b"/tmp/f".to_vec(),
        fifo: Some(end),
    };
    let end = |writes, others: &[PipeSide]| OtherEnd {
        writes,
        others: others.to_vec(),
        complete: true,
    };
    assert_eq!(
        words_of(vec![fifo(None, end(false, &[]))], 0),
        " on the named pipe /tmp/f, until its other end is opened to write"
    );
    assert_eq!(
        words_of(vec![fifo(Some(3), end(false, &[side(11, "prog")]))], 0),
        " on the named pipe /tmp/f whose other end it alone holds"
    );
    assert_eq!(
        words_of(vec![fifo(Some(3), end(true, &[side(10, "python3")]))], 0),
        " on the named pipe /tmp/f that 10 python3 run.py holds"
    );
    let backlog = WaitsOn::Backlog {
        fd: 3,
        path: b"/run/x".to_vec(),
        holders: vec![side(10, "python3")],
    };
    assert_eq!(
        words_of(vec![backlog], 0),
        " on the queue of the socket /run/x, which is full: 10 python3 run.py holds it and does \
         not accept"
    );
}

#[test]
fn a_wait_says_which_children_it_is_not_for() {
    const CLONE: u32 = 0x8000_0000;
    const NOTHREAD: u32 = 0x2000_0000;
    let words = |options, is_clone: bool| {
        let mut script = Script::launched(10);
        if is_clone {
            script.clone_child(10, 11);
        } else {
            script.fork(10, 11);
        }
        script.enter(10, -1, options);
        let tasks = vec![task(10, 1, &["a"], "wait4"), task(11, 10, &["b"], "pause")];
        let text = shown_tree(&script, tasks, None);
        let (_, words) = text.split_once("wait4(-1) for 5.0 s").unwrap();
        words.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(words(0, false), "");
    assert_eq!(words(0, true), ", not for clone children (no __WALL)");
    assert_eq!(words(0x4000_0000, true), "");
    assert_eq!(words(CLONE, true), ", for clone children alone (__WCLONE)");
    assert_eq!(
        words(CLONE, false),
        ", for clone children alone (__WCLONE), and it has none"
    );
    assert_eq!(
        words(NOTHREAD, false),
        ", for the children of this thread alone (__WNOTHREAD)"
    );
}

#[test]
fn a_thread_that_was_woken_may_have_been_asleep_for_longer() {
    let script = Script::launched(10);
    let woken = BlockedTask {
        is_older: true,
        ..task(10, 1, &["cat"], "read")
    };
    let text = shown_tree(&script, vec![woken], None);
    assert!(text.contains("read for at least 3.0 s\n"), "{text}");
}

#[test]
fn a_long_path_gives_way_to_the_arguments() {
    let mut script = Script::launched(10);
    script.after(100).fork(10, 11);
    let python = "/opt/versions/of/interpreters/3.11/bin/python3";
    let writer = task(10, 1, &[python, "serve.py", "--port", "8080"], "pause");
    let reader = BlockedTask {
        on: vec![stream(true, &[side(10, "python3")], true)],
        ..task(11, 10, &["/usr/bin/cat"], "read")
    };
    let text = shown_tree(&script, vec![writer, reader], None);
    assert!(
        text.contains("  10 …/python3 serve.py --port 8080 "),
        "{text}"
    );
    assert!(text.contains(" 11 /usr/bin/cat "), "{text}");
    assert!(
        text.contains("that 10 …/python3 serve.py --port 8080 holds"),
        "{text}"
    );
}
