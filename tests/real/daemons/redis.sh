cli() { redis-cli -s socket "$@"; }
start() {
  redis-server --port 0 --unixsocket "$here/socket" --dir "$here" --save '' --appendonly yes --enable-debug-command local --daemonize no >log &
  master=$!
  until_ok cli ping
}
is() { cli info persistence | tr -d '\r' | grep -qx "$1"; }
work() {
  cli set key value
  cli debug populate 20000 x 100
  cli bgsave
  until_ok is rdb_bgsave_in_progress:0
  is rdb_last_bgsave_status:ok && echo saved
  cli bgrewriteaof
  until_ok is aof_rewrite_in_progress:0
  is aof_last_bgrewrite_status:ok && echo rewritten
  # A child that is killed.
  cli config set rdb-key-save-delay 100000
  cli bgsave
  until_ok child_count "$master" 1 redis
  kill -KILL "$(first_child "$master" redis)"
  until_ok is rdb_last_bgsave_status:err
  echo noticed
  cli config set rdb-key-save-delay 0
  cli get key
}
stop() { cli shutdown nosave; }
