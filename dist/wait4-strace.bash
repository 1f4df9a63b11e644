_wait4__strace() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="wait4__strace"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        wait4__strace)
            opts="-p -f -E -u -e -v -q -y -Y -o -t -r -T -k -a -c -C -S -h -V --attach --follow-forks --no-follow --env --user --tree --every-call --kill-on-exit --leftovers --seccomp-bpf --no-polls --read --trace --signal --status --no-abbrev --only --findings --quiet --decode-fds --decode-pids-comm --pidns-translation --output --format --record --strace --absolute-timestamps --relative-timestamps --syscall-times --stack-trace --stats --columns --color --timeline --generate --summary-only --summary --summary-sort-by --zombies --watch --pidns-of --decode --abi --suppress --write-suppressions --threshold --expect-exit --expect-signal --report --report-file --snapshot --update --explore --budget --faults --schedule --duration --allow --warn --deny --explain --fail-on --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --attach)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -p)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --env)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -E)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --user)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -u)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --leftovers)
                    COMPREPLY=($(compgen -W "wait kill report" -- "${cur}"))
                    return 0
                    ;;
                --seccomp-bpf)
                    COMPREPLY=($(compgen -W "auto never" -- "${cur}"))
                    return 0
                    ;;
                --read)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -e)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --trace)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --signal)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --status)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --only)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                --record)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --columns)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -a)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --color)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                --timeline)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --generate)
                    COMPREPLY=($(compgen -W "man bash elvish fish powershell zsh" -- "${cur}"))
                    return 0
                    ;;
                --summary-sort-by)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -S)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --watch)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --pidns-of)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --decode)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --abi)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --suppress)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --write-suppressions)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --threshold)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-exit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-signal)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --report)
                    COMPREPLY=($(compgen -W "text github gitlab junit none" -- "${cur}"))
                    return 0
                    ;;
                --report-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --snapshot)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --explore)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --budget)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --schedule)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --duration)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --allow)
                    COMPREPLY=($(compgen -W "parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit" -- "${cur}"))
                    return 0
                    ;;
                --warn)
                    COMPREPLY=($(compgen -W "parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit" -- "${cur}"))
                    return 0
                    ;;
                --deny)
                    COMPREPLY=($(compgen -W "parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit" -- "${cur}"))
                    return 0
                    ;;
                --explain)
                    COMPREPLY=($(compgen -W "parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit" -- "${cur}"))
                    return 0
                    ;;
                --fail-on)
                    COMPREPLY=($(compgen -W "info warning error parent-stopped vfork-stall reaper-idle exec-inherited-child clone-child-invisible wnowait-only stop-mistaken-for-exit eintr-abandoned spawn-failed-zombie pgrp-miss sigchld-blocked handler-replaced coalesced-sigchld sigchld-discarded zombie-leak late-reap stolen-child double-wait not-my-child autoreap-echild inherited-sigchld-ignore efault-lost-status status-discarded signal-death-hidden raw-status-exit wrong-thread-wait bad-wait-args wnohang-spin echild-spin pipe-full-deadlock pipe-eof-deadlock pipe-held-by-descendant stopped-child-hang leader-zombie pdeathsig-thread pidns-init-exit kill-after-reap outlives-command unexpected-exit" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _wait4__strace -o nosort -o bashdefault -o default wait4-strace
else
    complete -F _wait4__strace -o bashdefault -o default wait4-strace
fi
