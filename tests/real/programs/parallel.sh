export HOME=$PWD PARALLEL_HOME=$PWD
seq 6 | parallel --will-cite -j 3 -k 'echo {}; exit $(({} % 2))'
echo "failed $?"
seq 4 | parallel --will-cite -j 2 --halt now,fail=1 'sleep 0.{}; exit 3' 2>/dev/null
echo "halted $?"
parallel --will-cite --timeout 0.5 sleep ::: 5
echo "timeout $?"
seq 1000 | parallel --will-cite --pipe -N 100 wc -l
