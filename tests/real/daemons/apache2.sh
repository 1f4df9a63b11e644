port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
ask() { curl -s "http://127.0.0.1:$(cat port)/$1"; }
start() {
  port >port
  mkdir -p site cgi
  echo page >site/page
  printf '#!/bin/sh\necho Content-Type: text/plain; echo; echo script $QUERY_STRING; (exit 3)\n' >cgi/script
  chmod -R a+rX . cgi && chmod a+rx cgi/script
  modules=/usr/lib/apache2/modules
  cat >conf <<C
LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule alias_module $modules/mod_alias.so
LoadModule cgi_module $modules/mod_cgi.so
ServerRoot $here
ServerName localhost
PidFile $here/apache.pid
DefaultRuntimeDir $here
Mutex sem
Listen 127.0.0.1:$(cat port)
ErrorLog $here/error.log
LogFormat "%r" request
CustomLog "|/bin/cat >>$here/access.log" request
DocumentRoot $here/site
ScriptAlias /cgi/ $here/cgi/
StartServers 2
MinSpareServers 2
MaxSpareServers 3
MaxConnectionsPerChild 5
User www-data
C
  # A restart signals the whole process group.
  setsid apache2 -f "$here/conf" -D FOREGROUND &
  master=$!
  until_ok ask page
}
work() {
  ask page
  for i in 1 2 3 4 5 6 7 8 9 10 11 12; do ask "cgi/script?$i"; done
  old=$(children "$master" apache2)
  kill -USR1 "$master"
  for pid in $old; do until_ok gone "$pid"; done
  until_ok ask page
  ask page
  kill -KILL "$(children "$master" apache2 | tail -n 1)"
  ask "cgi/script?killed"
  kill -HUP "$master"
  sleep 0.5
  until_ok ask page
  ask "cgi/script?restarted"
}
stop() { kill -TERM "$master"; until_ok gone "$master"; }
