ctl() { supervisorctl -c conf "$@"; }
start() {
  cat >conf <<'C'
[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
pidfile = %(here)s/supervisord.pid
[unix_http_server]
file = %(here)s/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://%(here)s/socket
[program:steady]
command = sleep 1000
startsecs = 0
[program:brief]
command = sh -c 'sleep 0.1; exit 3'
startsecs = 0
autorestart = false
C
  supervisord -c conf >/dev/null 2>&1 &
  master=$!
  until_ok test -S socket
}
work() {
  until_ok child_count "$master" 1 sleep
  until_ok exited
  ctl start brief
  old=$(first_child "$master" sleep)
  kill -KILL "$old"
  until_ok gone "$old"
  until_ok child_count "$master" 1 sleep
  ctl restart steady
  ctl stop steady
  ctl start steady
}
exited() { ctl status brief | grep -q EXITED; }
stop() { kill -TERM "$master"; until_ok gone "$master"; }
