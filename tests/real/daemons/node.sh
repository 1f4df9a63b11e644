ask() { curl -s -m 20 --unix-socket socket http://x/; }
start() {
  cat >server.js <<'C'
const cluster = require('cluster'), { execFile, spawnSync } = require('child_process');
if (cluster.isPrimary) {
  cluster.on('exit', () => cluster.fork());
  cluster.fork();
  cluster.fork();
} else {
  require('http').createServer((request, answer) => {
    execFile('sh', ['-c', 'echo said; exit 3'], (error, out) =>
      answer.end(`${out.trim()} ${error.code} ${spawnSync('sh', ['-c', 'exit 4']).status}\n`));
  }).listen('socket');
}
C
  node server.js &
  master=$!
  until_ok child_count "$master" 2
  until_ok ask
}
work() {
  for i in 1 2 3 4; do ask; done
  worker=$(first_child "$master")
  kill -KILL "$worker"
  until_ok gone "$worker"
  until_ok child_count "$master" 2
  until_ok ask
  ask
}
stop() { kill -TERM "$master"; until_ok gone "$master"; }
