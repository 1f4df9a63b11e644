# No sandbox where we are root: it refuses to.
unset DBUS_SESSION_BUS_ADDRESS
echo '<p id=x></p><script>document.getElementById("x").textContent = "scripts " + "run"</script>' >page.html
export HOME=$PWD
chromium --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/data" --dump-dom "file://$PWD/page.html" 2>/dev/null | grep -o 'scripts run</p>'
