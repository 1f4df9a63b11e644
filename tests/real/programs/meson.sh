export NINJA_STATUS=
cat >meson.build <<'C'
project('healthy', 'c')
foreach i : ['1', '2', '3', '4']
  test('t' + i, executable('p' + i, 'main.c', c_args: '-DN=' + i))
endforeach
test('late', executable('late', 'late.c'), timeout: 1, should_fail: true)
C
echo 'int main(void) { return N / 9; }' >main.c
printf '#include <unistd.h>\nint main(void) { sleep(20); return 0; }\n' >late.c
meson setup build >/dev/null 2>&1
echo "setup $?"
ninja -C build >/dev/null 2>&1
echo "ninja $?"
meson test -C build >out 2>&1
echo "test $?"
grep -E '^(Ok|Fail|Timeout):' out | tr -s ' '
printf 'rule fail\n  command = exit 3\nbuild x: fail\n' >build.ninja
ninja >/dev/null
echo "failed $?"
