set -m
sleep 0.3 &
kill -STOP %1
sleep 0.1
jobs -s | wc -l
kill -CONT %1
wait %1
echo $?
(exit 3) | (exit 4)
echo $?
sh -c 'kill -STOP $$; exit 5'
echo $?
fg %% >/dev/null
echo $?
sh -c 'sleep 0.1 | sleep 0.2; exit 6' &
fg >/dev/null
echo $?
sleep 10 &
kill %%
# By its pid: the job may be gone by now.
wait $!
echo $?
(sleep 0.1 &)
disown -a
