# Waits that block for long beside children that read, write or are stopped.
{ # A reader of a pipe that only the shell writes to, while another is waited for.
    coproc cat
    sleep 3.5
    eval "exec ${COPROC[1]}>&-"
    wait
} &
{
    mkfifo fifo
    cat <fifo >/dev/null &
    exec 3>fifo
    sh -c 'sleep 3.5; true' 3>&-
    exec 3>&-
    wait
} &
# A writer to a full pipe whose reader is busy.
{ yes | sleep 3.5; } &
{ yes | (sleep 0.1; sleep 3.4; true); } &
# A whole job is stopped for a while, as by ^Z.
bash -c 'set -m; sh -c "sleep 0.5; true" & sleep 0.2; kill -STOP %1; sleep 3.5; kill -CONT %1; wait %1; echo $?'
# Jobs that are waited for when there is time.
(exit 3) & (exit 4) & sleep 1.2 & wait
echo $?
