# As under strace: a process has one tracer, so another is refused.
strace -e trace=none sh -c 'exit 3' 2>&1 | sed 's/[0-9][0-9][0-9]*/N/g'
sleep 100 &
strace -p $! 2>&1 | sed 's/[0-9][0-9][0-9]*/N/g'
kill $!
strace -D -f -o log true
echo "strace -D $?"
