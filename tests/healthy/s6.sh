mkdir -p scan/brief scan/steady
printf '#!/bin/sh\nexec sleep 0.2\n' >scan/brief/run
printf '#!/bin/sh\nexit 3\n' >scan/brief/finish
printf '#!/bin/sh\nsleep 0.1\nexec sleep 100\n' >scan/steady/run
chmod +x scan/*/run scan/*/finish
s6-svscan scan &
until s6-svok scan/steady && s6-svok scan/brief; do sleep 0.05; done
sleep 1.5
s6-svc -r scan/steady
sleep 0.3
s6-svc -d scan/brief
kill -TERM $!
wait $!
echo $?
s6-svscan scan &
until s6-svok scan/steady && s6-svok scan/brief; do sleep 0.05; done
s6-svscanctl -t scan
wait $!
echo $?
