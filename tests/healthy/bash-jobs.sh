for code in 1 2 3; do (sleep 0.$code; exit $code) & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid"; echo $?; done
wait "${pids[0]}"
echo "$? as remembered"
(sleep 0.9; exit 5) &
(sleep 0.1; exit 6) &
wait -n; echo $?
wait -n; echo $?
wait -n; echo "$? as none is left"
(exit 7) &
sleep 0.2 & wait
sleep 10 &
kill $!
wait $!
echo $?
kill -0 $! 2>/dev/null || echo gone
(sleep 0.1; exit 8) &
until ! kill -0 $! 2>/dev/null; do sleep 0.02; done
wait $!
echo $?
trap 'echo told' USR1
(sleep 0.1; kill -USR1 $$; sleep 0.2; exit 9) &
wait $!
echo "$? as a signal came"
wait $!
echo $?
(sleep 0.05; exit 4) &
pid=$!
read -rt 1.3 <> <(:)
wait $pid
echo "$? after a second"
