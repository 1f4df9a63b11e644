# Pipelines, substitutions, jobs, coprocesses, traps.
echo one two | tr ' ' '\n' | sort -r
echo $(sh -c 'echo inner; exit 3') $?
sh -c 'exit 1' | sh -c 'exit 2'
echo $pipestatus
cat <(echo first) <(echo second)
echo into > >(cat)
cat =(echo file)
sleep 0.2 & sh -c 'sleep 0.1; exit 5' &
wait $!
echo waited $?
wait
coproc cat
print -p through
read -p line
echo $line
coproc exit
wait
trap 'echo a child has ended' CHLD
sh -c 'exit 6' &
wait $!
echo $?
trap - CHLD
sh -c 'kill -KILL $$'
echo $?
sleep 100 &
kill $!
wait $!
echo $?
( exit 7 )
echo $?
setopt nomonitor
sleep 0.1 &
wait
exec sh -c 'exit 8'
