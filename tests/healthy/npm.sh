export HOME="$PWD"
npm --version
cat >package.json <<'J'
{ "name": "tiny", "version": "1.0.0", "scripts": { "pretest": "echo before", "test": "node -e 'process.exitCode = 3'", "build": "sh -c 'echo built' | cat" } }
J
npm run --silent --offline build
echo $?
npm test --silent --offline
echo $?
