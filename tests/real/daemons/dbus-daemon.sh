send() { DBUS_SESSION_BUS_ADDRESS=unix:path=$here/socket dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / "$@" 2>&1; }
# A service in a few lines: connect, take the name, stay.
start() {
  cat >service.py <<'C'
import os, socket, struct, sys, time
def field(code, kind, text):
    return struct.pack('<BBsBI', code, 1, kind, 0, len(text)) + text + b'\0'
def padded(data): return data + b'\0' * (-len(data) % 8)
def call(serial, method, signature=b'', body=b''):
    fields = padded(field(1, b'o', b'/org/freedesktop/DBus'))
    fields = padded(fields + field(2, b's', b'org.freedesktop.DBus'))
    fields = padded(fields + field(3, b's', method))
    fields += field(6, b's', b'org.freedesktop.DBus')
    if signature:
        fields = padded(fields) + struct.pack('<BBsBB', 8, 1, b'g', 0, len(signature)) + signature + b'\0'
    head = struct.pack('<cBBBIII', b'l', 1, 0, 1, len(body), serial, len(fields))
    return padded(head + fields) + body
name = sys.argv[1].encode()
bus = socket.socket(socket.AF_UNIX)
bus.connect(os.environ['DBUS_STARTER_ADDRESS'].split('path=')[1].split(',')[0])
bus.sendall(b'\0AUTH EXTERNAL ' + str(os.getuid()).encode().hex().encode() + b'\r\n')
bus.recv(1000)
bus.sendall(b'BEGIN\r\n' + call(1, b'Hello'))
bus.recv(1000)
bus.sendall(call(2, b'RequestName', b'su', struct.pack('<I', len(name)) + name + b'\0' + b'\0' * (-(len(name) + 5) % 4) + struct.pack('<I', 0)))
while bus.recv(1000): pass
C
  mkdir -p services
  service() { printf '[D-BUS Service]\nName=%s\nExec=%s\n' "$1" "$2" >"services/$1.service"; }
  service healthy.Fails "/bin/sh -c 'exit 3'"
  service healthy.Killed "/bin/sh -c 'kill -KILL \$\$'"
  service healthy.Lives "/usr/bin/python3 $here/service.py healthy.Lives"
  cat >conf <<C
<busconfig>
  <type>session</type>
  <listen>unix:path=$here/socket</listen>
  <servicedir>$here/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow own="*"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
C
  dbus-daemon --config-file="$here/conf" --nofork --nopidfile 2>log &
  master=$!
  until_ok send org.freedesktop.DBus.ListNames
}
work() {
  send org.freedesktop.DBus.StartServiceByName string:healthy.Fails uint32:0
  send org.freedesktop.DBus.StartServiceByName string:healthy.Killed uint32:0
  send org.freedesktop.DBus.StartServiceByName string:healthy.Lives uint32:0
  send org.freedesktop.DBus.StartServiceByName string:healthy.Lives uint32:0
  pkill -KILL -f "^/usr/bin/python3 $here/service.py"
  until_ok absent
  send org.freedesktop.DBus.NameHasOwner string:healthy.Lives
  kill -HUP "$master"
}
absent() { send org.freedesktop.DBus.NameHasOwner string:healthy.Lives | grep -q false; }
stop() { kill -TERM "$master"; until_ok gone "$master"; }
