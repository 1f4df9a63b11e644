const c = require('child_process');
if (process.argv[2] === 'forked') {
  process.on('message', n => { process.send(n * 2); process.disconnect(); });
} else {
  const ends = child => new Promise(done => child.on('close', (code, signal) => done([code, signal])));
  const one = n => ends(c.spawn('sh', ['-c', `sleep 0.${n}; exit ${n}`]));
  (async () => {
    console.log(await Promise.all([0, 1, 2, 3].map(one)));
    const killed = c.spawn('sleep', ['10']);
    killed.kill('SIGKILL');
    console.log(await ends(killed));
    killed.kill('SIGKILL');
    console.log(c.spawnSync('sh', ['-c', 'echo sync; exit 7']).status);
    console.log(c.execSync('echo executed | cat').toString());
    console.log(c.spawnSync('sleep', ['10'], { timeout: 100 }).signal);
    await new Promise(done => c.exec('echo out; exit 5', (error, out) => { console.log(error.code, out); done(); }));
    await new Promise(done => c.execFile('sleep', ['10'], { timeout: 100 }, error => { console.log(error.signal); done(); }));
    await new Promise(done => c.spawn('/nonexistent/program').on('error', error => { console.log(error.code); done(); }));
    const forked = c.fork(__filename, ['forked']);
    forked.on('message', n => console.log(n));
    forked.send(21);
    console.log(await ends(forked));
    console.log(await Promise.all(Array(60).fill(0).map(() => ends(c.spawn('sleep', ['0.4'])))).then(all => all.length));
    const left = c.spawn('sleep', ['0.3'], { detached: true, stdio: 'ignore' });
    left.unref();
  })();
}
