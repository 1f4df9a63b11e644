// What is drawn, and in which rows. Times are nanoseconds since the trace began.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const HEAD = 30, ROW = 24, THREAD = 12, CROWD = 16;
const end = Math.max(data.end, 1);
const lanes = data.lanes;
lanes.forEach((lane) => lane.waits.sort((a, b) => a.from - b.from));

const span = (ns) => {
  if (ns < 1e5) return `${Math.round(ns / 100) / 10} µs`;
  if (ns < 1e8) return `${Math.round(ns / 1e4) / 100} ms`;
  return `${Math.round(ns / 1e7) / 100} s`;
};
const name = (lane) => lane.names.length ? lane.names[lane.names.length - 1][1] : "?";
const label = (id) => id == null || !lanes[id] ? "outside of the trace"
  : `${lanes[id].pid} ${name(lanes[id])}`;

// The lanes that findings are about, with the worst severity of each; those and
// all above them stay when nothing else is shown.
const LEVELS = ["info", "warning", "error"];
const worst = new Map(), kept = new Set();
for (const found of data.findings) {
  const about = [found.parent, ...found.children].filter((id) => id != null);
  for (const id of about) {
    for (let up = id; up != null && !kept.has(up); up = lanes[up].parent) kept.add(up);
  }
  const level = LEVELS.indexOf(found.severity);
  if (found.parent != null) {
    worst.set(found.parent, Math.max(level, worst.get(found.parent) ?? 0));
  }
}

// Rows: a process each, in the order of the tree, so that those below one follow
// it. A folded one has a picture of how many live below it; threads are shown
// under those that are opened.
const folded = new Set(), opened = new Set();
let only = false;
let rows = [], tops = [], bottom = 0;
const rowOf = new Int32Array(lanes.length);
const isFolded = (id) => !only && folded.has(id);
function layOut() {
  rows = [];
  tops = [];
  bottom = 0;
  rowOf.fill(-1);
  for (let id = 0; id < lanes.length; id += isFolded(id) ? lanes[id].below + 1 : 1) {
    if (only && !kept.has(id)) continue;
    rowOf[id] = rows.length;
    rows.push(id);
    tops.push(bottom);
    bottom += ROW + (opened.has(id) ? lanes[id].threads.length * THREAD : 0)
      + (isFolded(id) ? CROWD : 0);
  }
}
// The row at a height, or where the rows end.
function rowAt(from) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle] <= from) low = middle + 1; else high = middle;
  }
  return Math.max(0, low - 1);
}
// Fold the levels of the tree that are too many rows to be taken in; what a
// finding is about stays seen.
function foldDeep(most) {
  folded.clear();
  const levels = [];
  for (const lane of lanes) levels[lane.depth] = (levels[lane.depth] ?? 0) + 1;
  let depth = 0;
  for (let rows = levels[0] ?? 0; depth + 1 < levels.length; depth++) {
    rows += levels[depth + 1];
    if (rows > most && depth > 0) break;
  }
  const above = new Set([...kept].map((id) => lanes[id].parent));
  lanes.forEach((lane, id) => {
    if (lane.depth >= depth && lane.below && !above.has(id)) folded.add(id);
  });
}
// Unfold all that is above a process.
function reveal(id) {
  if (only && !kept.has(id)) only = false;
  for (let up = lanes[id].parent; up != null; up = lanes[up].parent) folded.delete(up);
  layOut();
}

// The processes below a folded one: when they were born and ended, and when those
// that were zombies for long were.
const crowds = new Map();
function crowd(id) {
  let found = crowds.get(id);
  if (!found) {
    found = { born: [], ended: [], late: [], reaped: [] };
    for (let below = id + 1; below <= id + lanes[id].below; below++) {
      const life = lanes[below], ended = life.ended ?? end;
      found.born.push(life.born);
      found.ended.push(ended);
      if (life.late) {
        found.late.push(ended);
        found.reaped.push(life.reaped ? life.reaped.at : end);
      }
    }
    for (const times of Object.values(found)) times.sort((a, b) => a - b);
    crowds.set(id, found);
  }
  return found;
}
// How many of the sorted times are not behind this one.
function until(times, at) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at) low = middle + 1; else high = middle;
  }
  return low;
}

if (lanes.length > 100) foldDeep(60);
layOut();
