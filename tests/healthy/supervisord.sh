cat >conf <<'C'
[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
pidfile = %(here)s/pid
[unix_http_server]
file = %(here)s/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://%(here)s/socket
[program:steady]
command = sleep 100
[program:brief]
command = sh -c 'sleep 0.1; exit 3'
startretries = 1
startsecs = 0
autorestart = false
[program:again]
command = sleep 0.3
startsecs = 0
[program:daemon]
command = sh -c '(sleep 2 & exit 0) & wait; exec sleep 100'
stopasgroup = true
killasgroup = true
[program:absent]
command = /nonexistent/program
startretries = 1
C
supervisord -c conf >/dev/null 2>&1 &
until test -S socket; do sleep 0.05; done
sleep 1.5
kill -TERM $!
wait $!
echo $?
test ! -e pid && echo stopped
