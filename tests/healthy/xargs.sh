seq 1 20 | xargs -P 4 -n 1 sh -c 'sleep 0.0$(($0 % 5)); exit $(($0 % 3 == 0))'
echo $?
seq 1 4 | xargs -P 4 -I {} sh -c 'exit 255' 2>/dev/null
echo $?
seq 1 4 | xargs -n 2 echo
find . -maxdepth 0 -exec sh -c 'exit 2' \;
find . -maxdepth 0 -exec echo {} +
