// What stands beside the picture: findings, details, search; and the start.
function what(id, px) {
  const life = lanes[id], t = time(px), near = (view.to - view.from) / (width - left) * 4;
  const lines = [];
  const wait = life.waits.find((w) => w.from - near <= t && t <= w.to + near);
  if (wait) {
    lines.push(`${wait.call} = ${wait.result}`,
      wait.polls > 1 ? `${wait.polls} polls in ${span(wait.to - wait.from)}`
        : `for ${span(wait.to - wait.from)}, thread ${wait.tid}`);
    if (wait.child != null) lines.push(`reaped ${label(wait.child)}`);
  }
  const signal = life.signals.find(([at]) => Math.abs(at - t) <= near);
  if (signal) lines.push(`got ${signal[1]} at +${span(signal[0])}`);
  const exec = life.names.slice(1).find(([at]) => Math.abs(at - t) <= near);
  if (exec) lines.push(`executes ${exec[1]}`);
  if (life.ended != null && t >= life.ended) {
    lines.push(life.reaped
      ? `a zombie for ${span(life.reaped.at - life.ended)}, reaped `
        + (life.reaped.by == null ? label(null) : `by ${label(life.reaped.by)}`)
      : `a zombie for ${span(end - life.ended)}, and nobody reaped it`);
  }
  if (isFolded(id)) {
    const { born, ended } = crowd(id);
    lines.push(`${until(born, t) - until(ended, t)} of ${life.below} below it alive`);
  }
  return lines;
}
function choose(id) {
  chosen = id;
  $("details").hidden = id < 0;
  if (id >= 0) details(id);
  later();
}
function details(id) {
  const life = lanes[id], facts = $("facts");
  $("who").textContent = label(id);
  facts.replaceChildren();
  const fact = (term, text) => {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = text;
    facts.append(dt, dd);
  };
  fact("parent", label(life.parent));
  fact("born", `+${span(life.born)}`);
  for (const [at, text] of life.names.slice(1)) fact("executed", `${text} at +${span(at)}`);
  for (const [at, parent, pid] of life.moves) {
    fact("adopted", `by ${parent == null ? pid : label(parent)} at +${span(at)}`);
  }
  if (life.ended != null) {
    fact("ended", `${life.status} at +${span(life.ended)}`);
    fact("reaped", life.reaped
      ? life.reaped.by == null ? label(null)
        : `by ${label(life.reaped.by)} (thread ${life.reaped.tid}) `
          + `after ${span(life.reaped.at - life.ended)}`
      : "never: a zombie to the end");
  } else fact("ended", "it lives on");
  if (life.below) fact("below it", `${life.below} process${life.below === 1 ? "" : "es"}`);
  if (life.threads.length) fact("threads", String(life.threads.length + 1));
  fact("waits", String(life.waits.length));
  const blocked = life.waits.filter((w) => !w.polls).reduce((sum, w) => sum + w.to - w.from, 0);
  if (blocked) fact("blocked in waits", span(blocked));
}

// Findings.
function chooseFinding(index) {
  finding = index;
  const buttons = document.querySelectorAll(".finding");
  buttons.forEach((button, at) => button.classList.toggle("chosen", at === index));
  const found = data.findings[index];
  if (!found) { finding = -1; later(); return; }
  const wide = Math.max((found.to - found.from) * 1.6, end / 50, 1000);
  const middle = (found.from + found.to) / 2;
  move(() => { view.from = middle - wide / 2; view.to = middle + wide / 2; });
  const id = found.parent ?? found.children[0];
  if (id != null) { show(id); choose(id); }
  buttons[index].scrollIntoView({ block: "nearest" });
}
data.findings.forEach((found, index) => {
  const button = document.createElement("button");
  button.className = `finding ${found.severity}`;
  const head = document.createElement("b"), text = document.createElement("span");
  const help = document.createElement("small"), lines = document.createElement("pre");
  head.textContent = `${found.severity}[${found.rule}]`;
  text.textContent = found.sentence;
  lines.textContent = found.evidence.join("\n");
  help.textContent = found.help;
  button.append(head, text, lines, help);
  button.addEventListener("click", () => chooseFinding(index));
  $("findings").append(button);
});
if (!data.findings.length) {
  $("findings").append(Object.assign(document.createElement("p"), { textContent: "None." }));
}

// Search.
function search() {
  const query = $("query").value.trim().toLowerCase();
  hits = query === "" ? [] : lanes.flatMap((life, id) =>
    String(life.pid) === query || life.names.some(([, text]) => text.toLowerCase().includes(query))
      ? [id] : []);
  hit = 0;
  if (hits.length) show(hits[0]);
  report();
  later();
}
function report() {
  const query = $("query").value.trim();
  $("hits").value = query === "" ? "" : hits.length ? `${hit + 1} of ${hits.length}` : "none";
}
$("query").addEventListener("input", search);
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!hits.length) return;
  hit = (hit + 1) % hits.length;
  show(hits[hit]);
  choose(hits[hit]);
  report();
});
$("fit").addEventListener("click", fit);
$("fold").addEventListener("click", foldAll);
$("only").addEventListener("click", () => showOnly(!only));
$("fold").hidden = lanes.every((lane) => lane.depth < 2 && lanes.length < 40);
$("only").hidden = kept.size === 0;

// On paper all rows are shown, at the zoom that the screen has.
window.addEventListener("beforeprint", () => {
  stage.style.height = `${Math.min(bottom + HEAD + ROW, 12000)}px`;
  view.scroll = 0;
  resize();
});
window.addEventListener("afterprint", () => { stage.style.height = ""; resize(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); later(); });
new ResizeObserver(resize).observe(stage);

$("title").textContent = $("title").title = data.title;
const zombies = data.zombies ?? lanes.filter((life) => life.ended != null && !life.reaped).length;
$("counts").textContent = `${lanes.length} process${lanes.length === 1 ? "" : "es"}, `
  + `${span(data.end)}, ${zombies} left as zombie${zombies === 1 ? "" : "s"}`
  + (data.is_cut ? "; more than a picture can show was left out" : "");
paint();
laidOut();

// A link can say what is shown: #finding=0, #find=NAME, #only, #unfold.
for (const part of decodeURIComponent(location.hash.slice(1)).split("&")) {
  const [what, value] = part.split("=");
  if (what === "only") showOnly(true);
  if (what === "unfold") { folded.clear(); laidOut(); }
  if (what === "find") { $("query").value = value; search(); }
  if (what === "finding") chooseFinding(Number(value));
}
// At once, not with the next frame: whoever takes the page as it loads sees it too.
draw();

// ?bench: pan and zoom, and say how long frames take.
if (location.search === "?bench") {
  const times = [];
  for (let turn = 0; turn < 200; turn++) {
    const begun = performance.now(), phase = turn / 30;
    view.from = end * .3 * Math.abs(Math.sin(phase));
    view.to = view.from + end * (.1 + .9 * Math.abs(Math.cos(phase)));
    view.scroll = (bottom - height) * Math.abs(Math.sin(phase / 2));
    clampView();
    draw();
    // What was drawn is asked for, so that it is drawn by now.
    pen.getImageData(0, 0, 1, 1);
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(part * (times.length - 1))].toFixed(1);
  document.title = `bench: ${lanes.length} processes, frame p50 ${at(.5)} ms, `
    + `p99 ${at(.99)} ms, max ${at(1)} ms`;
}
