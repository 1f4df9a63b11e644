timeout 10 sh -c 'exit 3'
echo $?
timeout 0.2 sleep 10
echo $?
timeout -s KILL 0.1 sleep 10
echo $?
timeout --foreground -k 1 0.1 sh -c 'trap "" TERM; sleep 0.3; sleep 0.3; exit 4'
echo $?
timeout 5 /nonexistent/program 2>/dev/null
echo $?
setsid -w sh -c 'exit 5'
echo $?
setsid sh -c 'sleep 0.2'
echo $?
nohup sh -c 'exit 6' 2>/dev/null
echo $?
nohup sleep 0.3 >/dev/null 2>&1 &
env -i PATH="$PATH" nice sh -c 'exit 7'
echo $?
flock lock sh -c 'exit 8'
echo $?
split -b 2 --filter='cat >$FILE' <<'T'
abcdef
T
cat xaa xab
sort --compress-program=gzip -S 1k -T . <<'T'
b
a
T
tar -czf all.tar.gz xaa xab && tar -tzf all.tar.gz
