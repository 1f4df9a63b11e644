# For dash and for busybox.
true
false
sh -c 'exit 7'
echo $?
echo a b c | tr a-z A-Z | cat
(exit 3) & a=$!
(exit 4) & b=$!
wait $b
echo $?
wait $a
echo $?
sh -c 'kill -TERM $$'
echo $?
sleep 0.05 & wait
echo "$(echo "$(echo deep)")"
trap 'echo told' USR1
(sleep 0.1; kill -USR1 $$; sleep 0.2; exit 9) & wait $!
echo $(($? > 128))
wait $!
(exit 5) &
sleep 1.2
wait $!
echo $?
sleep 10 &
kill $!
wait $!
echo $?
trap 'kill $!; wait; echo out' EXIT
sleep 10 &
exit 9
