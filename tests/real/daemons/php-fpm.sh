program() { command -v php-fpm || command -v php-fpm8.2 || ls /usr/sbin/php-fpm* | head -n 1; }
ask() { SCRIPT_FILENAME=$here/page.php REQUEST_METHOD=GET cgi-fcgi -bind -connect socket | tail -n 1; }
start() {
  cat >page.php <<'C'
<?php
exec('echo said; exit 3', $lines, $status);
$process = proc_open('exit 4', [], $pipes);
echo $lines[0], ' ', $status, ' ', proc_close($process), ' ', trim(shell_exec('echo shell')), "\n";
C
  cat >conf <<C
[global]
error_log = $here/error.log
pid = $here/fpm.pid
[pool]
user = root
listen = $here/socket
pm = static
pm.max_children = 2
pm.max_requests = 2
C
  "$(program)" -F -n -R -y "$here/conf" &
  master=$!
  until_ok test -S socket
  until_ok child_count "$master" 2
}
work() {
  for i in 1 2 3 4 5 6; do ask; done
  worker=$(first_child "$master")
  kill -KILL "$worker"
  until_ok gone "$worker"
  until_ok child_count "$master" 2
  ask
  # A reload: the master executes itself.
  old=$(children "$master")
  kill -USR2 "$master"
  for pid in $old; do until_ok gone "$pid"; done
  until_ok child_count "$master" 2
  ask
}
stop() { kill -QUIT "$master"; until_ok gone "$master"; }
