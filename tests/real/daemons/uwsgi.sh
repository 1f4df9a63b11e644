ask() { curl -s --unix-socket socket http://x/; }
start() {
  cat >app.py <<'C'
import os, subprocess
def application(environ, start_response):
    start_response('200 OK', [])
    said = subprocess.run(['sh', '-c', 'echo said; exit 3'], stdout=subprocess.PIPE)
    return [b'%s %d %d\n' % (said.stdout.strip(), said.returncode, os.system('exit 4') >> 8)]
C
  uwsgi --plugin python3 --http-socket "$here/socket" --master --processes 2 --wsgi-file app.py --die-on-term --max-requests 50 >log 2>&1 &
  master=$!
  until_ok child_count "$master" 2
  until_ok ask
}
work() {
  ask
  worker=$(first_child "$master")
  kill -KILL "$worker"
  until_ok gone "$worker"
  until_ok child_count "$master" 2
  ask
  # A reload: the master executes itself.
  old=$(children "$master")
  kill -HUP "$master"
  for pid in $old; do until_ok gone "$pid"; done
  until_ok child_count "$master" 2
  until_ok ask
  ask
}
stop() { kill -TERM "$master"; until_ok gone "$master"; }
