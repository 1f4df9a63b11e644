cat >CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.5)
project(healthy C)
enable_testing()
add_executable(main main.c)
foreach(i RANGE 1 4)
  add_test(t${i} main ${i})
endforeach()
add_test(fails main 0)
add_test(late sleep 20)
set_tests_properties(late PROPERTIES TIMEOUT 1)
execute_process(COMMAND sh -c "exit 3" RESULT_VARIABLE result)
message(NOTICE "execute_process ${result}")
C
echo 'int main(int n, char **v) { return v[1][0] == 48; }' >main.c
cmake -S . -B build 2>&1 >/dev/null | grep execute_process
cmake --build build -- -j2 >/dev/null 2>&1
echo "build $?"
(cd build && ctest -j2 2>&1) | grep -E '^ *[0-9]+/|tests passed' | sed 's/^.*Test *//; s/ *[0-9.]* sec.*//; s/\.\.\.*//' | sort
