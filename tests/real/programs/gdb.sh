# As under strace: a process has one tracer, so gdb is refused.
echo 'int f(int n) { return n; } int main(void) { return f(3); }' >main.c
gcc -g -o main main.c
gdb -nx -batch -ex 'break f' -ex run -ex bt -ex kill ./main </dev/null >out 2>&1
echo "run $?"
sed 's/process [0-9]*/process N/; s/0x[0-9a-f]*/0xN/g; s/for .*[/]main/for main/' out
sleep 100 &
gdb -nx -batch -p $! </dev/null >out 2>&1
echo "attach $?"
sed 's/process [0-9]*/process N/g; s/0x[0-9a-f]*/0xN/g' out | grep -i ptrace
kill $!
