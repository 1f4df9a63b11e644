say() { logger -u "$here/socket" -t test "$1"; }
start() {
  cat >program <<C
#!/bin/sh
while read -r line; do printf '%s\n' "\$line" >>$here/received; done
C
  chmod 755 program
  cat >conf <<C
global(workDirectory="$here")
module(load="imuxsock" SysSock.Use="off")
module(load="omprog")
input(type="imuxsock" Socket="$here/socket")
template(name="text" type="string" string="%msg%\n")
action(type="omprog" binary="$here/program" template="text")
action(type="omfile" file="$here/file" template="text")
C
  rsyslogd -n -f "$here/conf" -i "$here/rsyslog.pid" 2>log &
  master=$!
  until_ok test -S socket
  say ready
  until_ok grep -q ready received
}
work() {
  say first
  until_ok grep -q first received
  # Its program is killed and started again.
  old=$(first_child "$master" program)
  kill -KILL "$old"
  until_ok gone "$old"
  restarted() { say second; sleep 0.2; grep -q second received; }
  until_ok restarted
  kill -HUP "$master"
  say third
  until_ok grep -q third file
  grep -h -o 'first\|second\|third' received file | sort -u
  : >received
}
stop() { kill -TERM "$master"; until_ok gone "$master"; }
