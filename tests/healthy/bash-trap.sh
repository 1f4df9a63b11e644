trap 'ended=$((ended + 1))' CHLD
sh -c 'exit 3'
echo $?
for n in 1 2 3 4 5; do sleep 0.05 & done
wait; wait; wait; wait; wait; wait
echo $((ended > 0))
trap '' CHLD
true
echo $?
sh -c 'exit 5'
echo $?
trap - CHLD
sh -c 'kill -TERM $$'
echo $?
trap 'kill $(jobs -p); wait' EXIT
sleep 10 &
sleep 10 &
exit 4
