# $1: the directory of PostgreSQL's programs.
set -e
bin=$1
data=$(mktemp -d ./XXXXXX)
data=$(cd "$data" && pwd)
"$bin/initdb" -D "$data/db" -A trust -U me --no-sync >/dev/null
echo 'select 6 * 7;' | "$bin/postgres" --single -D "$data/db" postgres | grep -c 42
trap '"$bin/pg_ctl" -D "$data/db" -s -w -m immediate stop >/dev/null 2>&1' EXIT
"$bin/pg_ctl" -D "$data/db" -s -w -o "-k $data -h ''" -l "$data/log" start </dev/null >/dev/null 2>&1
sql() { "$bin/psql" -X -At -h "$data" -U me -d postgres -c "$1"; }
sql 'select 6 * 7'
sql 'create table t as select generate_series(1, 1000) n'
sql 'vacuum (parallel 0, analyze) t'
sql 'set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; select sum(n) from t' | tail -n 1
sql "copy t to program 'cat >/dev/null'"
sql 'select pg_reload_conf()'
sql 'select pg_sleep(10)' >/dev/null 2>&1 &
kill="select count(pg_terminate_backend(pid)) from pg_stat_activity where query like '%pg_sleep(10)%' and pid <> pg_backend_pid()"
until test "$(sql "$kill")" = 1; do sleep 0.05; done
wait || :
"$bin/pg_ctl" -D "$data/db" -s -w -m fast stop
trap - EXIT
test ! -e "$data/db/postmaster.pid"
