complete -c wait4-strace -s p -l attach -d 'Attach to running processes, all threads' -r
complete -c wait4-strace -s E -l env -d 'Set a variable (NAME=VALUE) or remove it (NAME)' -r
complete -c wait4-strace -s u -l user -d 'Run the command as this user' -r
complete -c wait4-strace -l leftovers -d 'What to do with processes that outlive the command: wait for them, kill them, or report them and let them go (which needs a stop for every call)' -r -f -a "wait\t'Wait for their end'
kill\t'End them: SIGTERM, and SIGKILL a second later'
report\t'Say what they are, and let them go'"
complete -c wait4-strace -l seccomp-bpf -d 'Use a seccomp filter so that only the calls of interest stop' -r -f -a "auto\t'Wherever it can be installed'
never\t'Stop at every system call instead'"
complete -c wait4-strace -l read -d 'Read a record: ours, or another tracer\'s' -r -F
complete -c wait4-strace -s e -d 'Choose what is shown: trace=…, signal=…, status=…' -r
complete -c wait4-strace -l trace -d 'Calls to show: wait4, waitid, waitpid, wait (all three) or none' -r
complete -c wait4-strace -l signal -d 'Signals to show: names or numbers, all or none; a ! in front excludes' -r
complete -c wait4-strace -l status -d 'Results to show: successful, failed, unfinished, detached, all or none' -r
complete -c wait4-strace -l only -d 'Show only the lines of this program or process, and of all below it' -r
complete -c wait4-strace -s o -l output -d 'Write to a file, or to a command: -o \'|command\'' -r
complete -c wait4-strace -l format -d 'text, or json: an object a line' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c wait4-strace -l record -d 'Write the JSON lines to a file, beside the output' -r -F
complete -c wait4-strace -s a -l columns -d 'Column of the results' -r
complete -c wait4-strace -l color -d 'Colours on standard error: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Whatever standard error is'
never\t'Never'"
complete -c wait4-strace -l timeline -d 'Draw the run: .html, .svg, or .json for Perfetto' -r -F
complete -c wait4-strace -l generate -d 'Write the man page or a shell\'s completions to standard output' -r -f -a "man\t'The man page'
bash\t'Completions of bash'
elvish\t'Completions of elvish'
fish\t'Completions of fish'
powershell\t'Completions of PowerShell'
zsh\t'Completions of zsh'"
complete -c wait4-strace -s S -l summary-sort-by -d 'Sort the table: longest, forked, reaped, left, late, polls, blocked, pid or command' -r
complete -c wait4-strace -l watch -d 'Look for zombies again, each 2 seconds or as said' -r
complete -c wait4-strace -l pidns-of -d 'Only the zombies in the pid namespace of this process: a container\'s' -r
complete -c wait4-strace -l decode -d 'Say what values mean: 0x137f, errno=512' -r
complete -c wait4-strace -l abi -d 'The system of what --decode or --read is given: linux, netbsd or freebsd' -r
complete -c wait4-strace -l fail-on -d 'Exit with 120 on: info, warning, error, a rule' -r
complete -c wait4-strace -l allow -d 'Do not report these rules' -r
complete -c wait4-strace -l warn -d 'Report these rules as warnings' -r
complete -c wait4-strace -l deny -d 'Report these rules as errors, and exit with 120' -r
complete -c wait4-strace -l suppress -d 'Known findings, a line each: RULE PROGRAM' -r -F
complete -c wait4-strace -l write-suppressions -d 'Write a line for each finding to a file, to give to --suppress' -r -F
complete -c wait4-strace -l threshold -d 'How long is too long: zombie, live, blocked, again, late or spin' -r
complete -c wait4-strace -l expect-exit -d 'Report processes that exit with another code' -r
complete -c wait4-strace -l expect-signal -d 'Report processes that are killed by another signal; none: by any' -r
complete -c wait4-strace -l report -d 'The report\'s form' -r -f -a "text\t'For people'
github\t'Annotations of GitHub Actions'
gitlab\t'A Code Quality report of GitLab'
junit\t'A test suite in XML, as Jenkins and others read it'
none\t'No report'"
complete -c wait4-strace -l report-file -d 'Write the report to a file' -r -F
complete -c wait4-strace -l explain -d 'Explain a rule, or list them all' -r
complete -c wait4-strace -l snapshot -d 'Exit with 121 if the run is not as FILE has it' -r -F
complete -c wait4-strace -l explore -d 'Search for races: run under many schedules' -r
complete -c wait4-strace -l budget -d 'How long to search for races: 30 seconds, or as said' -r
complete -c wait4-strace -l schedule -d 'Run once under this schedule: POINT@N,…' -r
complete -c wait4-strace -l duration -d 'End the trace after so many seconds, and report' -r
complete -c wait4-strace -s f -l follow-forks -d 'Follow children (the default); -ff: a file each'
complete -c wait4-strace -l no-follow -d 'Do not follow children'
complete -c wait4-strace -l tree -d 'With -p: attach to all living descendants too'
complete -c wait4-strace -l every-call -d 'With -p: show the calls of processes without children too, which run at full speed otherwise'
complete -c wait4-strace -l kill-on-exit -d 'Kill attached processes when the trace ends, instead of detaching'
complete -c wait4-strace -l no-polls -d 'Do not trace waits with WNOHANG: a loop of polls runs at full speed, and nothing is judged'
complete -c wait4-strace -s v -l no-abbrev -d 'Show all: whole arguments, each poll and thread'
complete -c wait4-strace -l findings -d 'Show no lines, only the findings'
complete -c wait4-strace -s q -l quiet -d 'No messages or summary; -qq: no exits; -qqq: calls'
complete -c wait4-strace -s y -l decode-fds -d 'Show what pidfds are; -yy: the pid behind them'
complete -c wait4-strace -s Y -l decode-pids-comm -d 'Show the names behind pids'
complete -c wait4-strace -l pidns-translation -d 'Show what pids of other pid namespaces are in ours'
complete -c wait4-strace -l strace -d 'Exactly strace\'s lines, and nothing else'
complete -c wait4-strace -s t -l absolute-timestamps -d 'Time of day; -tt: microseconds; -ttt: since 1970'
complete -c wait4-strace -s r -l relative-timestamps -d 'Time since the line before'
complete -c wait4-strace -s T -l syscall-times -d 'Time spent in each call'
complete -c wait4-strace -s k -l stack-trace -d 'Call stacks of waits and forks; -kk: all frames of interpreters'
complete -c wait4-strace -l stats -d 'At the end, say how many stops the trace took'
complete -c wait4-strace -s c -l summary-only -d 'A table of who reaped how much how late, no lines'
complete -c wait4-strace -s C -l summary -d 'The same table, behind the lines'
complete -c wait4-strace -l zombies -d 'The zombies that there are now, and why'
complete -c wait4-strace -l update -d 'Write the snapshot'
complete -c wait4-strace -l faults -d 'Let forks and execs fail too'
complete -c wait4-strace -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wait4-strace -s V -l version -d 'Print version'
