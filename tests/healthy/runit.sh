mkdir -p service/steady/log service/brief
printf '#!/bin/sh\necho started\nexec sleep 100\n' >service/steady/run
printf '#!/bin/sh\nexec cat >/dev/null\n' >service/steady/log/run
printf '#!/bin/sh\nexec sleep 0.2\n' >service/brief/run
printf '#!/bin/sh\nexit 0\n' >service/brief/finish
chmod +x service/*/run service/*/finish service/*/log/run
runsvdir service >/dev/null 2>&1 &
until sv check "$PWD/service/steady" "$PWD/service/brief" >/dev/null 2>&1; do sleep 0.05; done
sleep 1.5
sv restart "$PWD/service/steady" >/dev/null
kill -HUP $!
wait $!
echo $?
