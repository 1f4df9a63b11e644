conf() {
  cat >conf <<C
user root;
worker_processes 2;
pid $here/nginx.pid;
error_log $here/error.log notice;
events { worker_connections 64; }
http {
  access_log $here/access.log;
  client_body_temp_path $here/body; proxy_temp_path $here/proxy; fastcgi_temp_path $here/fastcgi;
  uwsgi_temp_path $here/uwsgi; scgi_temp_path $here/scgi;
  server { listen unix:$here/socket; location / { return 200 "answer $1\n"; } }
}
C
}
ask() { curl -s --unix-socket socket http://x/; }
answers() { test "$(ask)" = "answer $1"; }
start() {
  conf one
  # By its whole path, as an upgrade executes argv[0]; as a daemon, since in the
  # foreground nginx refuses to be upgraded.
  "$(command -v nginx)" -p "$here" -c "$here/conf" 2>/dev/null
  until_ok answers one
  master=$(cat nginx.pid)
}
work() {
  master=$(cat nginx.pid)
  ask
  # A reload: new workers, the old ones end.
  old=$(children "$master" nginx)
  conf two
  kill -HUP "$master"
  until_ok answers two
  for pid in $old; do until_ok gone "$pid"; done
  ask
  # A worker is killed and replaced.
  worker=$(first_child "$master" nginx)
  kill -KILL "$worker"
  until_ok gone "$worker"
  until_ok child_count "$master" 2 nginx
  kill -USR1 "$master"
  # An upgrade of the binary: a second master, the first one leaves.
  kill -USR2 "$master"
  until_ok test -s nginx.pid.oldbin -a -s nginx.pid
  new=$(cat nginx.pid)
  until_ok child_count "$new" 2 nginx
  kill -WINCH "$master"
  until_ok child_count "$master" 1 nginx
  kill -QUIT "$master"
  until_ok gone "$master"
  until_ok answers two
  old=$(children "$new" nginx)
  conf one
  kill -HUP "$new"
  until_ok answers one
  for pid in $old; do until_ok gone "$pid"; done
  ask
}
stop() {
  last=$(cat nginx.pid)
  kill -QUIT "$last"
  until_ok gone "$last"
}
