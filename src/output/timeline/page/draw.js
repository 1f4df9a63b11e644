// The picture: lives on their rows, names beside them.
const stage = $("stage"), canvas = $("canvas"), tip = $("tip"), pen = canvas.getContext("2d");
// What is seen: from `from` to `to`, rows from `scroll` on.
const view = { from: 0, to: end * 1.02, scroll: 0 };
let width = 0, height = 0, left = 230, queued = false;
// What is pointed at, chosen, found.
let hover = -1, chosen = -1, hits = [], hit = 0, finding = -1;
const colours = {};
const x = (t) => left + (t - view.from) / (view.to - view.from) * (width - left);
const time = (px) => view.from + (px - left) / (width - left) * (view.to - view.from);
const y = (id) => HEAD + tops[rowOf[id]] - view.scroll;
// A way between rows that are further apart is shown by its ends, until one of them
// is pointed at or chosen.
const FAR = 6 * ROW;
const MAP = 56, SLIM = 16;

function resize() {
  const box = stage.getBoundingClientRect();
  const scale = window.devicePixelRatio || 1;
  left = box.width < 700 ? 150 : 230;
  width = Math.max(box.width, left + 100);
  height = Math.max(box.height, HEAD + ROW);
  canvas.width = width * scale;
  canvas.height = height * scale;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  // The map has a place of its own where not all rows are seen at once.
  if (bottom > height - HEAD) width -= box.width < 700 ? SLIM : MAP;
  mapOf = null;
  clampView();
  draw();
}
function paint() {
  const style = getComputedStyle(document.documentElement);
  for (const colour of ["paper", "ink", "dim", "line", "shade", "life", "dead", "zombie", "wait",
    "poll", "stop", "reap", "move", "sig", "mark", "crowd"]) {
    colours[colour] = style.getPropertyValue(`--${colour}`).trim();
  }
  mapOf = null;
}
function later() {
  if (!queued) {
    queued = true;
    requestAnimationFrame(() => { queued = false; draw(); });
  }
}

function bar(from, to, top, high, colour) {
  const begin = Math.max(x(from), left), stop = Math.min(x(to), width);
  if (stop < left || begin > width) return;
  pen.fillStyle = colour;
  pen.fillRect(begin, top, Math.max(stop - begin, 1), high);
}
const isAbout = (id) => {
  const about = data.findings[finding];
  return about && (about.parent === id || about.children.includes(id));
};
const isMarked = (id) => id === chosen || hits[hit] === id || isAbout(id);

function draw() {
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, width + MAP, height);
  const first = rowAt(view.scroll), last = rowAt(view.scroll + height);
  const seen = rows.slice(first, last + 1);
  for (const id of seen) {
    if (isMarked(id)) {
      pen.fillStyle = colours.mark;
      pen.fillRect(0, y(id), width, ROW);
    }
  }
  grid();
  pen.save();
  pen.beginPath();
  pen.rect(left, HEAD, width - left, height - HEAD);
  pen.clip();
  seen.forEach(lane);
  seen.forEach(ways);
  const about = data.findings[finding];
  if (about) {
    pen.strokeStyle = colours.zombie;
    pen.setLineDash([2, 3]);
    for (const at of [about.from, about.to]) {
      pen.beginPath(); pen.moveTo(x(at), HEAD); pen.lineTo(x(at), height); pen.stroke();
    }
    pen.setLineDash([]);
  }
  pen.restore();
  names(seen);
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, width + MAP, HEAD);
  axis();
  map();
  Object.assign(stage.dataset, { rows: rows.length, scroll: Math.round(view.scroll) });
}

function ticks() {
  const rough = (view.to - view.from) / Math.max(2, (width - left) / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const at = [];
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) at.push(t);
  return at.filter((t) => x(t) >= left);
}
function grid() {
  pen.strokeStyle = colours.line;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const t of ticks()) {
    const at = Math.round(x(t)) + .5;
    pen.moveTo(at, HEAD); pen.lineTo(at, height);
  }
  pen.stroke();
}
function axis() {
  pen.fillStyle = colours.dim;
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  const all = `${lanes.length} process${lanes.length === 1 ? "" : "es"}`;
  pen.fillText(rows.length < lanes.length ? `${rows.length} of ${all}` : all, 12, HEAD / 2);
  for (const t of ticks()) {
    // The first and the last are moved in.
    const text = span(t), wide = pen.measureText(text).width;
    const at = Math.max(left + 4, Math.min(x(t) - wide / 2, width - wide - 6));
    pen.fillText(text, at, HEAD / 2);
  }
  pen.strokeStyle = colours.line;
  pen.beginPath(); pen.moveTo(0, HEAD + .5); pen.lineTo(width + MAP, HEAD + .5); pen.stroke();
}

// A process: its life and death, its name in the upper part, its waits below that.
function lane(id) {
  const life = lanes[id], top = y(id), ended = life.ended ?? end;
  bar(life.born, ended, top + 3, ROW - 6, colours.life);
  for (const [from, to] of life.stops) bar(from, to, top + 3, ROW - 6, colours.stop);
  const reaped = life.reaped ? life.reaped.at : end;
  if (life.ended != null && reaped > ended) {
    bar(ended, reaped, top + 3, ROW - 6, life.late ? colours.zombie : colours.dead);
  }
  waits(life.waits, top + ROW - 8, (wait) => opened.has(id) && wait.tid !== life.pid);
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.font = "11px system-ui, sans-serif";
  // Names where there is room for them.
  life.names.forEach(([from, text], index) => {
    const to = index + 1 < life.names.length ? life.names[index + 1][0] : ended;
    const begin = Math.max(x(from), left);
    pen.fillStyle = colours.ink;
    if (index > 0 && x(from) >= left) {
      pen.beginPath();
      pen.moveTo(x(from) - 3.5, top + 1); pen.lineTo(x(from) + 3.5, top + 1);
      pen.lineTo(x(from), top + 6); pen.fill();
    }
    if (x(to) - begin > 12 + text.length * 6.5) pen.fillText(text, begin + 6, top + 10);
  });
  pen.fillStyle = colours.sig;
  pen.beginPath();
  let before = -9;
  for (const [at] of life.signals) {
    const px = x(at);
    if (px < left || px > width || px - before < 2) continue;
    before = px;
    pen.moveTo(px, top + ROW - 2);
    pen.arc(px, top + ROW - 2, 2.2, 0, 7);
  }
  pen.fill();
  let under = top + ROW;
  if (opened.has(id)) life.threads.forEach(([tid, from, to]) => {
    bar(from, Math.min(to, ended), under + 2, THREAD - 4, colours.life);
    waits(life.waits.filter((wait) => wait.tid === tid), under + THREAD / 2 - 2, () => false);
    under += THREAD;
  });
  if (isFolded(id)) crowded(crowd(id), under);
}
function waits(list, top, leave) {
  let right = -1;
  for (const wait of list) {
    if (leave(wait)) continue;
    const from = x(wait.from), to = x(wait.to);
    // Thousands of marks on one pixel are one.
    if (to < left || from > width || (to < right && to - from < 1)) continue;
    bar(wait.from, wait.to, top, 4, wait.polls ? colours.poll : colours.wait);
    right = to + .5;
  }
}
// How many processes there are below a folded one, over time.
function crowded({ born, ended, late, reaped }, top) {
  const counts = columns(born, ended);
  const most = counts.reduce((most, n) => Math.max(most, n), 4);
  area(counts, most, top, colours.crowd);
  if (late.length) area(columns(late, reaped), most, top, colours.zombie);
}
const COLUMN = 2;
// How many of these times, from and to, there are in each column.
function columns(from, to) {
  let at = time(left), next = 0, gone = until(to, at);
  const step = time(left + COLUMN) - at, counts = [];
  for (let px = left; px < width; px += COLUMN) {
    while (gone < to.length && to[gone] <= at) gone++;
    at += step;
    while (next < from.length && from[next] <= at) next++;
    counts.push(next - gone);
  }
  return counts;
}
function area(counts, most, top, colour) {
  const high = CROWD - 4, base = top + CROWD - 3;
  pen.fillStyle = colour;
  for (let begin = 0, next; begin < counts.length; begin = next) {
    next = begin + 1;
    while (counts[next] === counts[begin]) next++;
    if (!counts[begin]) continue;
    const size = Math.max(2, Math.min(1, counts[begin] / most) * high);
    pen.fillRect(left + begin * COLUMN, base - size, (next - begin) * COLUMN, size);
  }
}
// From a process's reap to its reaper, from an orphan to who adopted it.
function ways(id) {
  const life = lanes[id], reap = life.reaped;
  if (reap && reap.by != null) way(reap.at, id, reap.by, colours.reap, []);
  for (const [at, parent] of life.moves) {
    if (parent != null) way(at, id, parent, colours.move, [3, 2]);
  }
}
function way(at, one, other, colour, dashes) {
  const px = Math.round(x(at)) + .5;
  if (px < left || px > width || rowOf[other] < 0) return;
  const from = y(one) + ROW / 2, to = y(other) + ROW / 2, far = to - from;
  const isMeant = [hover, chosen].some((id) => id === one || id === other) || isAbout(one);
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = 1.3;
  pen.setLineDash(dashes);
  pen.beginPath();
  pen.moveTo(px, from);
  if (Math.abs(far) <= FAR || isMeant) {
    pen.lineTo(px, to);
    pen.stroke();
  } else {
    // An arrow in its direction.
    const tip = from + Math.sign(far) * 15;
    pen.lineTo(px, tip);
    pen.stroke();
    pen.beginPath();
    pen.moveTo(px, tip + Math.sign(far) * 3);
    pen.lineTo(px - 2.5, tip - Math.sign(far) * 2); pen.lineTo(px + 2.5, tip - Math.sign(far) * 2);
    pen.fill();
  }
  pen.setLineDash([]);
  pen.beginPath(); pen.arc(px, to, 2.5, 0, 7); pen.fill();
}

function names(seen) {
  pen.fillStyle = colours.shade;
  pen.fillRect(0, HEAD, left, height - HEAD);
  pen.fillStyle = colours.mark;
  for (const id of seen.filter(isMarked)) pen.fillRect(0, y(id), left, ROW);
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.save();
  pen.beginPath(); pen.rect(0, HEAD, left - 6, height - HEAD); pen.clip();
  for (const id of seen) {
    const life = lanes[id], top = y(id), begin = indent(life);
    if (life.below && !only) {
      pen.fillStyle = colours.dim;
      pen.font = "9px system-ui, sans-serif";
      pen.fillText(folded.has(id) ? "▶" : "▼", begin - 10, top + ROW / 2);
    }
    const level = worst.get(id) ?? 0;
    pen.font = `${level ? "600 " : ""}12px system-ui, sans-serif`;
    pen.fillStyle = [colours.ink, colours.move, colours.zombie][level];
    pen.fillText(name(life), begin + 2, top + ROW / 2);
    const wide = pen.measureText(name(life)).width;
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = colours.dim;
    const threads = life.threads.length && !opened.has(id) ? `  +${life.threads.length} thr` : "";
    pen.fillText(life.pid + threads, begin + wide + 8, top + ROW / 2);
    let under = top + ROW;
    if (opened.has(id)) life.threads.forEach(([tid]) => {
      pen.fillText(`thread ${tid}`, begin + 14, under + THREAD / 2);
      under += THREAD;
    });
    if (isFolded(id)) pen.fillText(`${life.below} below`, begin + 2, under + CROWD / 2 - 3);
  }
  pen.restore();
}
const indent = (life) => 14 + Math.min(life.depth, 9) * (left < 200 ? 8 : 12);
