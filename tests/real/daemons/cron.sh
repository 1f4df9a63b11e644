# In a mount namespace: its tables and its pid file are the test's.
start() {
  mkdir -p tables spool run
  cat >tables/test <<C
SHELL=/bin/sh
* * * * * root echo ran >>$here/ran; sleep 0.2; exit 3
* * * * * root exit 0
C
  chmod 644 tables/test; : >empty; chmod 644 empty
  unshare -m sh -c '
    mount --bind tables /etc/cron.d && mount --bind spool /var/spool/cron/crontabs &&
    mount --bind empty /etc/crontab && mount --bind run "$(readlink -f /var/run)" && exec cron -f' &
  master=$!
  until_ok test -e run/crond.pid
}
work() {
  lines=$(cat ran 2>/dev/null | wc -l)
  more() { test "$(cat ran | wc -l)" -gt "$lines"; }
  sleep 42
  until_ok more
  until_ok child_count "$master" 0
  tail -n 1 ran
}
stop() { kill -TERM "$master"; until_ok gone "$master"; }
