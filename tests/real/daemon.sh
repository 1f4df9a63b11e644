# sh daemon.sh NAME PHASE...: the phases of a daemon's test, in a directory of
# its own that holds a copy of this file and of NAME.sh.
#
# NAME.sh defines `start` (in the background; sets $master), `work` (may be
# repeated) and `stop`. The answers go to standard output.
until_ok() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    test $tries -lt 400 || { echo "waited in vain for: $*"; exit 99; }
    sleep 0.05
  done
}
not() { ! "$@"; }
# Whether a process has ended, reaped or not.
gone() { test ! -e "/proc/$1" || grep -q '^State:.[ZX]' "/proc/$1/status"; }
# The children of $1 by name $2, sorted.
children() { pgrep -P "$1" "${2:-.}" | sort -n; }
child_count() { test "$(children "$1" "$3" | wc -l)" = "$2"; }
first_child() { children "$1" "$2" | head -n 1; }

# The daemon as a child of this shell, which waits for it.
serve() {
  start
  echo "$master" >pid
  wait
}
launched() {
  start
  echo "$master" >pid
  work
  stop
  wait "$master" 2>/dev/null
  echo "ended $?"
}

here=$PWD
. "./$1.sh"
shift
test ! -e pid || master=$(cat pid)
for phase; do "$phase"; done
