set -o pipefail
printf '%s\n' c a b | sort | tr a-z A-Z | cat
seq 1 1000 | grep -c 7
yes | head -n 1
echo "${PIPESTATUS[@]}"
false | true
echo $?
echo "$(echo "$(echo deep)") $(cd / && pwd)"
(exit 3) || echo "$? of a subshell"
while read -r word; do echo "read $word"; done < <(printf '%s\n' one two)
diff <(echo same) <(echo same) && echo alike
echo copied | tee >(cat >copy) >/dev/null
until test -s copy; do sleep 0.02; done
cat copy
shopt -s lastpipe
echo last | read -r word
echo "$word"
