inside='test $$ -lt 10 && echo few pids; (sleep 0.1 &); (exit 4) & wait $!; echo $?; exit 3'
bwrap --ro-bind / / --proc /proc --dev /dev --unshare-all --die-with-parent sh -c "$inside"
echo "bwrap $?"
bwrap --ro-bind / / --unshare-pid --as-pid-1 --proc /proc sh -c 'echo pid $$; exit 5'
echo "as pid 1 $?"
bwrap --dev-bind / / sh -c 'kill -KILL $$'
echo "killed $?"
