for name in a b c; do echo "int $name(void) { return 1; }" >$name.c; done
echo 'int a(void); int b(void); int c(void); int main(void) { return a() + b() + c(); }' >main.c
gcc -c a.c b.c c.c main.c && gcc -pipe -O1 -flto=2 -o whole a.c b.c c.c main.c 2>/dev/null || gcc -o whole a.o b.o c.o main.o
./whole
echo $?
echo 'int main(' >bad.c
gcc -c bad.c 2>/dev/null
echo $?
