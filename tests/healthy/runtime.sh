gcc -pthread -o runtime runtime.c || exit
./runtime
echo $?
