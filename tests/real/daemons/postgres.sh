# The newest one's programs, which may stand outside of PATH.
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -V | tail -n 1)")
test -x "$bin/postgres" || bin=$(dirname "$(command -v postgres)")
# The server refuses to be root.
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
sql() { as_nobody "$bin/psql" -X -At -h "$here" -U me -d postgres -c "$1" 2>&1; }
start() {
  as_nobody "$bin/initdb" -D "$here/db" -A trust -U me --no-sync >log 2>&1
  setpriv --reuid=nobody --regid=nogroup --clear-groups "$bin/postgres" -D "$here/db" -k "$here" -h '' >>log 2>&1 &
  master=$!
  until_ok sql 'select 1'
}
work() {
  sql 'drop table if exists t; create table t as select generate_series(1, 1000) n' | tail -n 1
  sql 'vacuum (parallel 0, analyze) t'
  sql 'set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; select sum(n) from t' | tail -n 1
  sql "copy t to program 'cat >/dev/null; exit 3'" | head -n 2
  sql 'select pg_reload_conf()'
  # A backend that is killed: the server ends all others and recovers.
  sql 'select pg_sleep(100)' >killed &
  client=$!
  backend() { sql "select pid from pg_stat_activity where query = 'select pg_sleep(100)'" | grep .; }
  until_ok backend
  ready=$(grep -c 'ready to accept' log)
  kill -KILL "$(backend)"
  wait $client
  until_ok recovered
  sql 'select count(*) from t'
}
recovered() { test "$(grep -c 'ready to accept' log)" -gt "$ready" && sql 'select 1'; }
stop() { kill -INT "$master"; until_ok gone "$master"; }
