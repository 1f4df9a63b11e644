#compdef wait4-strace

autoload -U is-at-least

_wait4-strace() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'*-p+[Attach to running processes, all threads]:PIDS:_default' \
'*--attach=[Attach to running processes, all threads]:PIDS:_default' \
'*-E+[Set a variable (NAME=VALUE) or remove it (NAME)]:VAR:_default' \
'*--env=[Set a variable (NAME=VALUE) or remove it (NAME)]:VAR:_default' \
'-u+[Run the command as this user]:USER:_default' \
'--user=[Run the command as this user]:USER:_default' \
'(--read)--leftovers=[What to do with processes that outlive the command\: wait for them, kill them, or report them and let them go (which needs a stop for every call)]:WHAT:((wait\:"Wait for their end"
kill\:"End them\: SIGTERM, and SIGKILL a second later"
report\:"Say what they are, and let them go"))' \
'--seccomp-bpf=[Use a seccomp filter so that only the calls of interest stop]::WHEN:((auto\:"Wherever it can be installed"
never\:"Stop at every system call instead"))' \
'(-p --attach -E --env -u --user --kill-on-exit --seccomp-bpf --every-call --duration -y --decode-fds)--read=[Read a record\: ours, or another tracer'\''s]:FILE:_files' \
'*-e+[Choose what is shown\: trace=…, signal=…, status=…]:EXPR:_default' \
'*--trace=[Calls to show\: wait4, waitid, waitpid, wait (all three) or none]:SET:_default' \
'*--signal=[Signals to show\: names or numbers, all or none; a ! in front excludes]:SET:_default' \
'*--status=[Results to show\: successful, failed, unfinished, detached, all or none]:SET:_default' \
'*--only=[Show only the lines of this program or process, and of all below it]:NAME|PID:_default' \
'-o+[Write to a file, or to a command\: -o '\''|command'\'']:FILE:_default' \
'--output=[Write to a file, or to a command\: -o '\''|command'\'']:FILE:_default' \
'--format=[text, or json\: an object a line]:FORMAT:((text\:"For people"
json\:"For programs"))' \
'--record=[Write the JSON lines to a file, beside the output]:FILE:_files' \
'-a+[Column of the results]:COLUMN:_default' \
'--columns=[Column of the results]:COLUMN:_default' \
'--color=[Colours on standard error\: auto, always or never]::WHEN:((auto\:"On a terminal, unless \`NO_COLOR\` is set"
always\:"Whatever standard error is"
never\:"Never"))' \
'--timeline=[Draw the run\: .html, .svg, or .json for Perfetto]:FILE:_files' \
'--generate=[Write the man page or a shell'\''s completions to standard output]:WHAT:((man\:"The man page"
bash\:"Completions of bash"
elvish\:"Completions of elvish"
fish\:"Completions of fish"
powershell\:"Completions of PowerShell"
zsh\:"Completions of zsh"))' \
'-S+[Sort the table\: longest, forked, reaped, left, late, polls, blocked, pid or command]:COLUMN:_default' \
'--summary-sort-by=[Sort the table\: longest, forked, reaped, left, late, polls, blocked, pid or command]:COLUMN:_default' \
'--watch=[Look for zombies again, each 2 seconds or as said]::SECONDS:_default' \
'--pidns-of=[Only the zombies in the pid namespace of this process\: a container'\''s]:PID:_default' \
'*--decode=[Say what values mean\: 0x137f, errno=512]::VALUE:_default' \
'--abi=[The system of what --decode or --read is given\: linux, netbsd or freebsd]:SYSTEM:_default' \
'*--suppress=[Known findings, a line each\: RULE PROGRAM]:FILE:_files' \
'--write-suppressions=[Write a line for each finding to a file, to give to --suppress]:FILE:_files' \
'*--threshold=[How long is too long\: zombie, live, blocked, again, late or spin]:NAME=SECONDS:_default' \
'*--expect-exit=[Report processes that exit with another code]:CODE,…:_default' \
'*--expect-signal=[Report processes that are killed by another signal; none\: by any]:SIGNAL,…:_default' \
'--report=[The report'\''s form]:FORM:((text\:"For people"
github\:"Annotations of GitHub Actions"
gitlab\:"A Code Quality report of GitLab"
junit\:"A test suite in XML, as Jenkins and others read it"
none\:"No report"))' \
'--report-file=[Write the report to a file]:FILE:_files' \
'--snapshot=[Exit with 121 if the run is not as FILE has it]:FILE:_files' \
'(--schedule)--explore=[Search for races\: run under many schedules]::RUNS:_default' \
'--budget=[How long to search for races\: 30 seconds, or as said]:SECONDS:_default' \
'(-p --attach --read --no-follow)--schedule=[Run once under this schedule\: POINT@N,…]:SPEC:_default' \
'--duration=[End the trace after so many seconds, and report]:SECONDS:_default' \
'*--allow=[Do not report these rules]:RULE,…:(parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit)' \
'*--warn=[Report these rules as warnings]:RULE,…:(parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit)' \
'*--deny=[Report these rules as errors, and exit with 120]:RULE,…:(parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit)' \
'--explain=[Explain a rule, or list them all]::RULE:(parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit)' \
'*--fail-on=[Exit with 120 on\: info, warning, error, a rule]:WHAT:(info warning error parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit)' \
'*-f[Follow children (the default); -ff\: a file each]' \
'*--follow-forks[Follow children (the default); -ff\: a file each]' \
'(-f --follow-forks)--no-follow[Do not follow children]' \
'--tree[With -p\: attach to all living descendants too]' \
'--every-call[With -p\: show the calls of processes without children too, which run at full speed otherwise]' \
'--kill-on-exit[Kill attached processes when the trace ends, instead of detaching]' \
'(--read --record --snapshot --timeline)--no-polls[Do not trace waits with WNOHANG\: a loop of polls runs at full speed, and nothing is judged]' \
'-v[Show all\: whole arguments, each poll and thread]' \
'--no-abbrev[Show all\: whole arguments, each poll and thread]' \
'--findings[Show no lines, only the findings]' \
'*-q[No messages or summary; -qq\: no exits; -qqq\: calls]' \
'*--quiet[No messages or summary; -qq\: no exits; -qqq\: calls]' \
'*-y[Show what pidfds are; -yy\: the pid behind them]' \
'*--decode-fds[Show what pidfds are; -yy\: the pid behind them]' \
'-Y[Show the names behind pids]' \
'--decode-pids-comm[Show the names behind pids]' \
'(-Y --decode-pids-comm)--pidns-translation[Show what pids of other pid namespaces are in ours]' \
'--strace[Exactly strace'\''s lines, and nothing else]' \
'*-t[Time of day; -tt\: microseconds; -ttt\: since 1970]' \
'*--absolute-timestamps[Time of day; -tt\: microseconds; -ttt\: since 1970]' \
'-r[Time since the line before]' \
'--relative-timestamps[Time since the line before]' \
'-T[Time spent in each call]' \
'--syscall-times[Time spent in each call]' \
'*-k[Call stacks of waits and forks; -kk\: unfolded]' \
'*--stack-trace[Call stacks of waits and forks; -kk\: unfolded]' \
'(--read)--stats[At the end, say how many stops the trace took]' \
'-c[A table of who reaped how much how late, no lines]' \
'--summary-only[A table of who reaped how much how late, no lines]' \
'(-c --summary-only)-C[The same table, behind the lines]' \
'(-c --summary-only)--summary[The same table, behind the lines]' \
'--zombies[The zombies that there are now, and why]' \
'--update[Write the snapshot]' \
'--faults[Let forks and execs fail too]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'*::command -- Command to launch and trace, with its arguments:_default' \
&& ret=0
}

(( $+functions[_wait4-strace_commands] )) ||
_wait4-strace_commands() {
    local commands; commands=()
    _describe -t commands 'wait4-strace commands' commands "$@"
}

if [ "$funcstack[1]" = "_wait4-strace" ]; then
    _wait4-strace "$@"
else
    compdef _wait4-strace wait4-strace
fi
