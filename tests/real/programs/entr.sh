# Runs, restarts and kills its command when a file changes.
echo 1 >watched
echo watched | entr -n -r sh -c 'cat watched; exec sleep 100' >out 2>/dev/null &
entr=$!
until grep -qs 1 out; do sleep 0.1; done
# Again where entr saw the file while it was empty.
until grep -qs 2 out; do
  echo 2 >watched
  sleep 0.3
done
sleep 0.3
kill -TERM $entr
wait $entr
echo "entr -r $?"
echo watched | entr -n -z sh -c 'cat watched; exit 3'
echo "entr -z $?"
