# Pipelines, substitutions, jobs, coprocesses, traps.
echo one two | tr ' ' '\n' | sort -r
echo $(sh -c 'echo inner; exit 3') $?
set -o pipefail
sh -c 'exit 2' | true
echo $?
cat <(echo first) <(echo second)
sleep 0.2 & sh -c 'sleep 0.1; exit 5' &
wait $!
echo waited $?
wait
cat |&
print -p through
read -p line
echo $line
exec 3>&p
exec 3>&-
wait
trap 'echo a child has ended' CHLD
sh -c 'exit 6' &
# With a trap ksh itself may not know the status any more.
wait $!
trap - CHLD
sh -c 'kill -KILL $$' 2>/dev/null
echo $?
sleep 100 &
kill $!
wait $! 2>/dev/null
echo $?
( exit 7 )
echo $?
exec sh -c 'exit 8'
