# $@: an init that runs the rest.
unshare -pf --mount-proc "$@" sh -c 'true & sleep 0.1; wait'
echo $?
unshare -pf --mount-proc "$@" sh -c '(sh -c "sleep 0.1; exit 3" &); (exit 5) & sleep 0.3; wait; exit 4'
echo $?
unshare -pf --mount-proc "$@" sh -c '(sleep 1.4 &); (sleep 0.1 &); sleep 1.6; exit 6'
echo $?
unshare -pf --kill-child --mount-proc "$@" sh -c 'kill -TERM $$'
echo $?
