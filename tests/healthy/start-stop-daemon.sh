start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$PWD/pid" --exec /bin/sleep -- 100
echo $?
sleep 0.2
start-stop-daemon --status --pidfile "$PWD/pid"
echo $?
start-stop-daemon --stop --quiet --retry TERM/2/KILL/2 --remove-pidfile --pidfile "$PWD/pid"
echo $?
test ! -e pid && echo stopped
