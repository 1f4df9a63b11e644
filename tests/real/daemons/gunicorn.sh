ask() { curl -s --unix-socket socket http://x/; }
start() {
  cat >app.py <<'C'
import os, subprocess
def app(environ, start_response):
    start_response('200 OK', [])
    said = subprocess.run(['sh', '-c', 'echo said; exit 3'], stdout=subprocess.PIPE)
    return [b'%s %d %d\n' % (said.stdout.strip(), said.returncode, os.system('exit 4') >> 8)]
C
  gunicorn -w 2 -b "unix:$here/socket" --worker-tmp-dir "$here" --graceful-timeout 5 app:app 2>log &
  master=$!
  until_ok child_count "$master" 2
  until_ok ask
}
work() {
  ask
  old=$(children "$master")
  kill -HUP "$master"
  for pid in $old; do until_ok gone "$pid"; done
  until_ok child_count "$master" 2
  ask
  worker=$(first_child "$master")
  kill -KILL "$worker"
  until_ok gone "$worker"
  until_ok child_count "$master" 2
  kill -TTIN "$master"
  until_ok child_count "$master" 3
  kill -TTOU "$master"
  until_ok child_count "$master" 2
  ask
}
stop() { kill -TERM "$master"; until_ok gone "$master"; }
