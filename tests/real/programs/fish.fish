# Pipelines, substitutions, jobs, handlers.
echo one two | string split ' ' | sort -r
echo (sh -c 'echo inner; exit 3') $status
sh -c 'exit 4'
echo $status
sh -c 'exit 1' | sh -c 'exit 2'
echo $pipestatus
function ended --on-process-exit %self
    echo end of fish
end
sleep 0.2 &
set -l first $last_pid
sh -c 'sleep 0.1; exit 5' &
wait
echo waited $status
sh -c 'kill -KILL $$'
echo $status
cat (echo psub | psub)
for i in 1 2 3
    true
    false
end
sleep 0.1 &
wait $last_pid
sleep 100 &
kill $last_pid
wait
echo done
