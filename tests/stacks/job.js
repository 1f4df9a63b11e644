// Runs a child in functions that are worth a name.
const { spawnSync } = require("child_process");

function waitFor(program) {
  return spawnSync(program);
}

function runJob() {
  return waitFor("true");
}

runJob();
