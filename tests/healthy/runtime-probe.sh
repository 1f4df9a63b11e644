gcc -pthread -o runtime runtime.c || exit
./runtime probe
echo $?
