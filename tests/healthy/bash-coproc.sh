coproc cat
pid=$COPROC_PID
echo hello >&"${COPROC[1]}"
read -r word <&"${COPROC[0]}"
echo "$word"
eval "exec ${COPROC[1]}>&-"
wait "$pid"
echo $?
coproc NAMED { read -r line; echo "<$line>"; read -r line; exit 6; }
pid=$NAMED_PID
echo there >&"${NAMED[1]}"
read -r word <&"${NAMED[0]}"
echo "$word"
echo >&"${NAMED[1]}"
wait "$pid"
echo $?
