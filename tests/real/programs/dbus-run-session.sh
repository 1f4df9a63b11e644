dbus-run-session -- sh -c 'dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.DBus; exit 3'
echo "session $?"
