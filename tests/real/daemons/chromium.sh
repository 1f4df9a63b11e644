# No sandbox where we are root: it refuses to.
unset DBUS_SESSION_BUS_ADDRESS
port() { head -n 1 data/DevToolsActivePort; }
ask() { curl -s "$@" "http://127.0.0.1:$(port)/json/$path"; }
pages() { path=list; test "$(ask | grep -c 'page.html')" = "$1"; }
start() {
  echo '<title>healthy</title><p>page</p>' >page.html
  export HOME=$here
  # The command is a script that executes the browser.
  chromium --headless --no-sandbox --disable-gpu --user-data-dir="$here/data" --remote-debugging-port=0 about:blank 2>/dev/null &
  master=$!
  until_ok test -s data/DevToolsActivePort
  path=list
  until_ok ask
}
work() {
  path="new?file://$here/page.html"
  id=$(ask -X PUT | sed -n 's/.*"id": "\([^"]*\)".*/\1/p')
  until_ok titled
  path=list
  ask | grep -o '"title": "healthy"' | head -n 1
  path=close/$id
  ask
  echo
  path=list
  until_ok not titled
  echo closed
}
titled() { path=list; ask | grep -q '"title": "healthy"'; }
stop() { kill -TERM "$master"; until_ok gone "$master"; }
