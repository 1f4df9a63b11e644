//! Call stacks in words: strace's, and those that name source lines.

use std::fmt::{self, Write};

use owo_colors::Style;

use super::line::Line;
use super::places::{Part, Place, has_interpreter, knows_script, parts, places};
use crate::event::{Cut, Frame, Stack, escape_controls};

/// A frame as strace writes it: ` > /usr/bin/dash(main+0x2c) [0x4a1c]`.
struct Strace<'a>(&'a Frame);

impl fmt::Display for Strace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Strace(frame) = self;
        f.write_str(" > ")?;
        let Some(object) = &frame.object else {
            return write!(f, "unexpected_backtracing_error [{:#x}]", frame.address);
        };
        escape_controls(object, f)?;
        f.write_char('(')?;
        if let Some(function) = frame.functions().last()
            && let (Some(name), Some(offset)) = (&function.name, function.offset)
        {
            escape_controls(name.as_bytes(), f)?;
            write!(f, "+{offset:#x}")?;
        }
        write!(f, ") [{:#x}]", frame.address)
    }
}

/// The lines of a stack as strace writes them.
pub(super) fn strace_lines(stack: &Stack) -> Vec<u8> {
    let mut text = String::new();
    for frame in stack.frames() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", Strace(frame));
    }
    text.into_bytes()
}

/// The lines of a stack, a place each. Unless all are wanted (`is_whole`), the frames
/// of an interpreter are folded: a script's author wants the script's.
pub(super) fn lines(stack: &Stack, prefix: &str, dim: Style, is_whole: bool) -> Vec<u8> {
    let mut line = Line::default();
    let mut add = |text: fmt::Arguments<'_>, style| {
        line.plain(prefix);
        line.write(text, style);
        line.plain("\n");
    };
    let all: Vec<Place<'_>> = places(stack).collect();
    let folds = !is_whole && has_interpreter(&all);
    // Said once, where the script's own lines would stand.
    let mut lacks_script = folds && !knows_script(&all);
    for part in parts(&all, folds) {
        match part {
            Part::Place(place) if place.has_source() => {
                add(format_args!("  > {place}"), Style::new());
            }
            Part::Place(place) => add(format_args!("  > {place}"), dim),
            Part::Folded(folded) => {
                let why = if std::mem::take(&mut lacks_script) {
                    " (an interpreter; the lines of its script are not known)"
                } else {
                    ""
                };
                add(format_args!("  > {folded}{why}"), dim);
            }
        }
    }
    if let Some(end) = end(stack) {
        add(format_args!("  > {end}"), dim);
    }
    line.text.into_bytes()
}

/// What a stack's end says, where it is not the outermost frame.
fn end(stack: &Stack) -> Option<&'static str> {
    Some(match stack.cut()? {
        Cut::Deep => "… more",
        Cut::Lost => "… the way back from here is not known",
    })
}

/// How many places of a stack a finding shows.
const MOST_OF_OWN: usize = 8;

/// The places that a person wants to see: from the program's own code that
/// called the C library out to `main`, those that matter most if there are
/// many. Of a script: its functions, and libraries that they call.
pub(super) fn own_places(stack: &Stack) -> Vec<Place<'_>> {
    let all: Vec<Place<'_>> = places(stack).collect();
    if has_interpreter(&all) && knows_script(&all) {
        let own = parts(&all, true).into_iter().filter_map(Part::own);
        return own.take(MOST_OF_OWN).collect();
    }
    let first = all.iter().position(|place| !place.is_wrapper());
    let main = all.iter().position(Place::is_main);
    let last = main.map_or(all.len(), |main| main + 1);
    let own = all.get(first.unwrap_or(0)..last).unwrap_or(&all);
    own.iter().copied().take(MOST_OF_OWN).collect()
}

/// The innermost of the program's own places, in short, if its line is known: `reap at
/// reap.c:17`. Of a script one outside of the libraries that come with its interpreter,
/// if there is any.
pub(super) fn short_place(stack: &Stack) -> Option<String> {
    let own = own_places(stack).into_iter();
    let known: Vec<Place<'_>> = own.filter(Place::has_source).collect();
    let place = known.iter().find(|place| !place.is_of_pythons_library());
    place.or(known.first())?.in_short()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::Function;

    fn function(name: &str, file: Option<&str>) -> Function {
        Function {
            name: Some(name.to_owned()),
            offset: Some(0x13),
            file: file.map(str::to_owned),
            line: file.map(|_| 17),
        }
    }

    fn frame(object: &str, functions: Vec<Function>) -> Arc<Frame> {
        Arc::new(Frame::new(
            Some(object.as_bytes().into()),
            0xd3bd3,
            functions,
        ))
    }

    fn stack(frames: Vec<Arc<Frame>>) -> Stack {
        Stack::new(frames, None)
    }

    fn words(places: &[Place<'_>]) -> Vec<String> {
        places.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_known_of_a_place_is_told() {
        let inlined = vec![
            function("inner", Some("a.c")),
            function("outer", Some("b.c")),
        ];
        let stack = stack(vec![
            frame("/lib/libc.so.6", vec![function("wait4", None)]),
            frame("/bin/x", inlined),
            frame("/bin/x", Vec::new()),
            Arc::new(Frame::new(None, 0x7f00, Vec::new())),
        ]);
        let all: Vec<Place<'_>> = places(&stack).collect();
        assert_eq!(
            words(&all),
            [
                "wait4+0x13 in /lib/libc.so.6",
                "inner at a.c:17 (inlined)",
                "outer at b.c:17",
                "0xd3bd3 in /bin/x",
                "0x7f00 in code made at run time",
            ]
        );
        let strace: Vec<String> = stack
            .frames()
            .iter()
            .map(|f| Strace(f).to_string())
            .collect();
        assert_eq!(strace[0], " > /lib/libc.so.6(wait4+0x13) [0xd3bd3]");
        assert_eq!(strace[2], " > /bin/x() [0xd3bd3]");
    }

    #[test]
    fn a_finding_shows_the_programs_own_places() {
        let c = |name| frame("/bin/x", vec![function(name, Some("a.c"))]);
        let stack = stack(vec![
            frame("/lib/libc.so.6", vec![function("wait4", None)]),
            frame("/bin/x", vec![function("__GI___waitpid", None)]),
            c("reap"),
            c("main"),
            frame("/lib/libc.so.6", vec![function("start", None)]),
        ]);
        let own = words(&own_places(&stack));
        assert_eq!(own, ["reap at a.c:17", "main at a.c:17"]);
    }

    #[test]
    fn names_that_a_program_chose_are_harmless() {
        let hostile = "\u{1b}[2J\n";
        let stack = stack(vec![frame(hostile, vec![function(hostile, Some(hostile))])]);
        for place in places(&stack) {
            assert_eq!(place.to_string(), r"\33[2J\n at \33[2J\n:17");
        }
        let strace = Strace(&stack.frames()[0]).to_string();
        assert_eq!(strace, r" > \33[2J\n(\33[2J\n+0x13) [0xd3bd3]");
    }

    /// A wait in a script that an interpreter runs, as deep as it commonly is.
    fn of_script(lines: &[(&str, u32)]) -> Stack {
        let python = |name: &str| frame("/lib/libpython3.11.so.1.0", vec![function(name, None)]);
        let script = lines.iter().map(|(name, line)| Function {
            name: Some((*name).to_owned()),
            offset: None,
            file: Some("/srv/job.py".to_owned()),
            line: Some(*line),
        });
        let eval = python("_PyEval_EvalFrameDefault");
        let eval = Arc::new(eval.with_script(script.collect()));
        stack(vec![
            frame("/lib/libc.so.6", vec![function("wait4", None)]),
            python("os_waitpid"),
            python("cfunction_vectorcall_FASTCALL"),
            eval,
            python("pymain_run_file"),
            frame("/lib/libc.so.6", vec![function("__libc_start_main", None)]),
            frame("/usr/bin/python3.11", vec![function("_start", None)]),
        ])
    }

    fn shown(stack: &Stack, is_whole: bool) -> Vec<String> {
        let text = lines(stack, "", Style::new(), is_whole);
        let text = String::from_utf8(text).unwrap();
        text.lines()
            .map(|line| line.trim_start().to_owned())
            .collect()
    }

    #[test]
    fn the_frames_of_an_interpreter_are_folded_around_the_scripts() {
        let known = of_script(&[("wait_for", 12), ("<module>", 30)]);
        assert_eq!(
            shown(&known, false),
            [
                "> wait4+0x13 in /lib/libc.so.6",
                "> … 2 frames of libpython3.11.so.1.0",
                "> wait_for at /srv/job.py:12",
                "> <module> at /srv/job.py:30",
                "> … 4 frames of libpython3.11.so.1.0, libc.so.6 and python3.11",
            ]
        );
        let whole = shown(&known, true);
        assert_eq!(whole.len(), 9);
        assert_eq!(whole[3..5], shown(&known, false)[2..4]);
        assert!(
            whole[5].starts_with("> _PyEval_EvalFrameDefault"),
            "{whole:?}"
        );
        let short = short_place(&known);
        assert_eq!(short.as_deref(), Some("wait_for at job.py:12"));
        let own = words(&own_places(&known));
        assert_eq!(
            own,
            ["wait_for at /srv/job.py:12", "<module> at /srv/job.py:30"]
        );
    }

    #[test]
    fn in_short_a_script_stands_before_its_library() {
        let script = |file: &str| Function {
            file: Some(file.to_owned()),
            ..function("run", Some(""))
        };
        let short = |files: &[&str]| {
            let script = files.iter().map(|file| script(file)).collect();
            let eval = frame("/usr/bin/python3", vec![function("eval", None)]);
            short_place(&stack(vec![Arc::new(eval.with_script(script))]))
        };
        let library = "/usr/lib/python3.11/subprocess.py";
        let [both, alone] = [&[library, "/srv/job.py"][..], &[library]].map(short);
        assert_eq!(both.as_deref(), Some("run at job.py:17"));
        assert_eq!(alone.as_deref(), Some("run at subprocess.py:17"));
        assert_eq!(short(&[]), None);
    }

    #[test]
    fn an_interpreter_whose_script_is_not_known_says_so() {
        assert_eq!(
            shown(&of_script(&[]), false),
            [
                "> wait4+0x13 in /lib/libc.so.6",
                "> … 6 frames of libpython3.11.so.1.0, libc.so.6 and python3.11 (an interpreter; \
                 the lines of its script are not known)",
            ]
        );
    }

    #[test]
    fn code_made_at_run_time_is_shown_where_it_has_a_name() {
        let made = |name: Option<&str>| {
            let functions = name.map(|name| function(name, None)).into_iter().collect();
            Arc::new(Frame::new(None, 0x7f00, functions))
        };
        let node = || frame("/usr/bin/node", vec![function("v8::Call", None)]);
        let stack = stack(vec![
            frame("/lib/libc.so.6", vec![function("wait4", None)]),
            node(),
            made(None),
            made(Some("JS:~wait /srv/job.js:3:1")),
            made(None),
            node(),
        ]);
        assert_eq!(
            shown(&stack, false),
            [
                "> wait4+0x13 in /lib/libc.so.6",
                "> … 2 frames of node and code made at run time",
                "> JS:~wait /srv/job.js:3:1+0x13 in code made at run time",
                "> … 2 frames of code made at run time and node",
            ]
        );
    }

    #[test]
    fn a_trampoline_is_shown_where_it_alone_names_the_function() {
        let trampoline = || {
            let functions = vec![function("py::job:/srv/job.py", None)];
            Arc::new(Frame::new(None, 0x7f00, functions))
        };
        let stack_of = |lines: &[(&str, u32)]| {
            let mut frames = of_script(lines).frames().to_vec();
            frames.insert(4, trampoline());
            shown(&stack(frames), false)
        };
        let unknown = stack_of(&[]);
        assert_eq!(
            unknown[2],
            "> py::job:/srv/job.py+0x13 in code made at run time"
        );
        assert!(!unknown.concat().contains("not known"), "{unknown:?}");
        let known = stack_of(&[("job", 3)]);
        assert_eq!(known[2], "> job at /srv/job.py:3");
        assert!(!known.concat().contains("py::"), "{known:?}");
    }

    #[test]
    fn stacks_of_other_programs_are_not_folded() {
        let c = |name| frame("/lib/libc.so.6", vec![function(name, None)]);
        let stack = stack(vec![c("wait4"), c("start_thread"), c("clone3")]);
        assert_eq!(shown(&stack, false), shown(&stack, true));
        assert_eq!(shown(&stack, false).len(), 3);
    }
}
