script -qec 'tty >/dev/null && echo on a terminal; exit 5' /dev/null | tr -d '\r'
script -qec 'exit 5' /dev/null
echo $?
printf 'sleep 0.2 &\nsleep 0.1\njobs\nwait\n(exit 3) | cat\nexit 4\n' |
  script -qec 'bash --norc --noprofile -i' /dev/null >/dev/null
echo $?
