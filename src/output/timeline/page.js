"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const stage = $("stage"), canvas = $("canvas"), tip = $("tip"), pen = canvas.getContext("2d");
  const NAMES = 230, HEAD = 30, ROW = 24, THREAD = 12;
  const end = Math.max(data.end, 1);
  const lanes = data.lanes;

  // Rows: a process each, its threads folded under it until it is opened.
  const opened = new Set();
  let tops = [], bottom = 0;
  const layOut = () => {
    bottom = 0;
    tops = lanes.map((lane, id) => {
      const top = bottom;
      bottom += ROW + (opened.has(id) ? lane.threads.length * THREAD : 0);
      return top;
    });
  };
  layOut();
  lanes.forEach((lane) => lane.waits.sort((a, b) => a.from - b.from));

  // What is seen: nanoseconds from `from` to `to`, rows from `scroll` on.
  const view = { from: 0, to: end * 1.02, scroll: 0 };
  let width = 0, height = 0, chosen = -1, hits = [], hit = 0, finding = -1, queued = false;
  let colours = {};
  const x = (t) => NAMES + (t - view.from) / (view.to - view.from) * (width - NAMES);
  const time = (px) => view.from + (px - NAMES) / (width - NAMES) * (view.to - view.from);
  const y = (id) => HEAD + tops[id] - view.scroll;

  const span = (ns) => {
    if (ns < 1e5) return `${Math.round(ns / 100) / 10} µs`;
    if (ns < 1e8) return `${Math.round(ns / 1e4) / 100} ms`;
    return `${Math.round(ns / 1e7) / 100} s`;
  };
  const name = (lane) => lane.names.length ? lane.names[lane.names.length - 1][1] : "?";
  const label = (id) => id == null || !lanes[id] ? "nobody in the trace"
    : `${lanes[id].pid} ${name(lanes[id])}`;

  const resize = () => {
    const box = stage.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    width = Math.max(box.width, NAMES + 100);
    height = Math.max(box.height, HEAD + ROW);
    canvas.width = width * scale;
    canvas.height = height * scale;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    draw();
  };
  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    for (const colour of ["paper", "ink", "dim", "line", "shade", "life", "zombie", "wait", "poll",
      "stop", "reap", "move", "sig", "mark"]) {
      colours[colour] = style.getPropertyValue(`--${colour}`).trim();
    }
  };
  const later = () => {
    if (!queued) {
      queued = true;
      requestAnimationFrame(() => { queued = false; draw(); });
    }
  };

  const bar = (from, to, top, high, colour) => {
    const left = Math.max(x(from), NAMES), right = Math.min(x(to), width);
    if (right < NAMES || left > width) return false;
    pen.fillStyle = colour;
    pen.fillRect(left, top, Math.max(right - left, 1), high);
    return true;
  };
  // The row at a height, or where the rows end.
  const rowAt = (from) => {
    let low = 0, high = lanes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tops[middle] <= from) low = middle + 1; else high = middle;
    }
    return Math.max(0, low - 1);
  };

  function draw() {
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, width, height);
    const first = rowAt(view.scroll), last = rowAt(view.scroll + height);
    const about = finding >= 0 ? data.findings[finding] : null;
    for (let id = first; id <= last && id < lanes.length; id++) {
      const top = y(id);
      const marked = id === chosen || (hits.length && hits[hit] === id)
        || (about && (about.parent === id || about.children.includes(id)));
      if (marked) {
        pen.fillStyle = colours.mark;
        pen.fillRect(0, top, width, ROW);
      }
    }
    grid();
    pen.save();
    pen.beginPath();
    pen.rect(NAMES, HEAD, width - NAMES, height - HEAD);
    pen.clip();
    for (let id = first; id <= last && id < lanes.length; id++) lane(id);
    ways(first, last);
    if (about) {
      pen.strokeStyle = colours.zombie;
      pen.setLineDash([2, 3]);
      for (const at of [about.from, about.to]) {
        pen.beginPath(); pen.moveTo(x(at), HEAD); pen.lineTo(x(at), height); pen.stroke();
      }
      pen.setLineDash([]);
    }
    pen.restore();
    names(first, last);
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, width, HEAD);
    axis();
  }

  function ticks() {
    const rough = (view.to - view.from) / Math.max(2, (width - NAMES) / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    const at = [];
    for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) at.push(t);
    return at;
  }
  function grid() {
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    pen.beginPath();
    for (const t of ticks()) {
      const at = Math.round(x(t)) + .5;
      if (at >= NAMES) { pen.moveTo(at, HEAD); pen.lineTo(at, height); }
    }
    pen.stroke();
  }
  function axis() {
    pen.fillStyle = colours.dim;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    for (const t of ticks()) if (x(t) >= NAMES) pen.fillText(span(t), x(t), HEAD / 2);
    pen.textAlign = "left";
    pen.fillText(`${lanes.length} processes`, 12, HEAD / 2);
    pen.strokeStyle = colours.line;
    pen.beginPath(); pen.moveTo(0, HEAD + .5); pen.lineTo(width, HEAD + .5); pen.stroke();
  }

  function lane(id) {
    const life = lanes[id], top = y(id);
    const ended = life.ended == null ? end : life.ended;
    bar(life.born, ended, top + 4, ROW - 8, colours.life);
    for (const [from, to] of life.stops) bar(from, to, top + 4, ROW - 8, colours.stop);
    const reaped = life.reaped ? life.reaped.at : end;
    if (life.ended != null && reaped > ended) bar(ended, reaped, top + 4, ROW - 8, colours.zombie);
    waits(life.waits, top + ROW / 2 - 2, (wait) => opened.has(id) && wait.tid !== life.pid);
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.font = "11px system-ui, sans-serif";
    // Names where there is room for them.
    life.names.forEach(([from, text], index) => {
      const to = index + 1 < life.names.length ? life.names[index + 1][0] : ended;
      const left = Math.max(x(from), NAMES);
      if (index > 0 && x(from) >= NAMES) {
        pen.fillStyle = colours.ink;
        pen.beginPath();
        pen.moveTo(x(from) - 3.5, top + 1); pen.lineTo(x(from) + 3.5, top + 1);
        pen.lineTo(x(from), top + 6); pen.fill();
      }
      if (x(to) - left > 12 + text.length * 6.5) {
        pen.fillStyle = colours.ink;
        pen.fillText(text, left + 6, top + ROW / 2 + 1);
      }
    });
    pen.fillStyle = colours.sig;
    let before = -9;
    for (const [at] of life.signals) {
      const px = x(at);
      if (px < NAMES || px > width || px - before < 2) continue;
      before = px;
      pen.beginPath(); pen.arc(px, top + ROW - 3, 2.2, 0, 7); pen.fill();
    }
    if (opened.has(id)) life.threads.forEach(([tid, from, to], index) => {
      const at = top + ROW + index * THREAD;
      bar(from, Math.min(to, ended), at + 2, THREAD - 4, colours.life);
      waits(life.waits.filter((wait) => wait.tid === tid), at + THREAD / 2 - 2, () => false);
    });
  }
  function waits(list, top, leave) {
    let right = -1;
    for (const wait of list) {
      if (leave(wait)) continue;
      const from = x(wait.from), to = x(wait.to);
      // Thousands of marks on one pixel are one.
      if (to < NAMES || from > width || (to < right && to - from < 1)) continue;
      bar(wait.from, wait.to, top, 4, wait.polls ? colours.poll : colours.wait);
      right = to + .5;
    }
  }
  function ways(first, last) {
    pen.lineWidth = 1.3;
    const line = (at, one, other, dashed) => {
      const px = Math.round(x(at)) + .5;
      if (px < NAMES || px > width) return;
      pen.setLineDash(dashed ? [3, 2] : []);
      pen.beginPath(); pen.moveTo(px, y(one) + ROW / 2); pen.lineTo(px, y(other) + ROW / 2);
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath(); pen.arc(px, y(other) + ROW / 2, 2.5, 0, 7); pen.fill();
    };
    // Those of rows that are seen; one that leads in from elsewhere has no begin.
    for (let id = first; id <= last && id < lanes.length; id++) {
      const life = lanes[id], reap = life.reaped;
      if (reap && reap.by != null) {
        pen.strokeStyle = pen.fillStyle = colours.reap;
        line(reap.at, id, reap.by, false);
      }
      for (const [at, parent] of life.moves) {
        if (parent == null) continue;
        pen.strokeStyle = pen.fillStyle = colours.move;
        line(at, id, parent, true);
      }
    }
  }
  function names(first, last) {
    pen.fillStyle = colours.shade;
    pen.fillRect(0, HEAD, NAMES, height - HEAD);
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.save();
    pen.beginPath(); pen.rect(0, HEAD, NAMES - 6, height - HEAD); pen.clip();
    for (let id = first; id <= last && id < lanes.length; id++) {
      const life = lanes[id], top = y(id);
      const left = 10 + Math.min(life.depth, 9) * 12;
      if (life.threads.length) {
        pen.fillStyle = colours.dim;
        pen.font = "9px system-ui, sans-serif";
        pen.fillText(opened.has(id) ? "▼" : "▶", left - 9, top + ROW / 2);
      }
      const wrong = data.findings.some((found) => found.parent === id);
      pen.font = `${wrong ? "600 " : ""}12px system-ui, sans-serif`;
      pen.fillStyle = wrong ? colours.zombie : colours.ink;
      pen.fillText(name(life), left + 2, top + ROW / 2);
      const wide = pen.measureText(name(life)).width;
      pen.font = "11px system-ui, sans-serif";
      pen.fillStyle = colours.dim;
      pen.fillText(String(life.pid), left + wide + 8, top + ROW / 2);
      if (opened.has(id)) life.threads.forEach(([tid], index) => {
        pen.fillText(`thread ${tid}`, left + 14, top + ROW + (index + .5) * THREAD);
      });
    }
    pen.restore();
  }

  // Moving about.
  const clampView = () => {
    const least = 1000, most = end * 4;
    const wide = Math.min(Math.max(view.to - view.from, least), most);
    view.to = view.from + wide;
    const slack = wide * .5;
    if (view.from < -slack) { view.from = -slack; view.to = view.from + wide; }
    if (view.from > end) { view.from = end; view.to = end + wide; }
    view.scroll = Math.max(0, Math.min(view.scroll, bottom - height + HEAD + ROW));
  };
  const move = (change) => { change(); clampView(); later(); };
  const zoom = (factor, px) => move(() => {
    const at = time(px);
    view.from = at - (at - view.from) * factor;
    view.to = at + (view.to - at) * factor;
  });
  const show = (id) => {
    const top = tops[id];
    if (top < view.scroll || top > view.scroll + height - HEAD - 2 * ROW) {
      view.scroll = top - (height - HEAD) / 3;
    }
  };
  const fit = () => move(() => { view.from = 0; view.to = end * 1.02; });

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.shiftKey || event.ctrlKey || event.metaKey || Math.abs(event.deltaX) < 1) {
      if (event.shiftKey) move(() => { view.scroll += event.deltaY || event.deltaX; });
      else if (event.offsetX < NAMES) move(() => { view.scroll += event.deltaY; });
      else zoom(Math.exp(event.deltaY * .0015), event.offsetX);
    } else {
      const part = event.deltaX / (width - NAMES) * (view.to - view.from);
      move(() => { view.from += part; view.to += part; view.scroll += event.deltaY; });
    }
  }, { passive: false });
  let drag = null;
  stage.addEventListener("pointerdown", (event) => {
    drag = { x: event.offsetX, y: event.offsetY, from: view.from, to: view.to,
      scroll: view.scroll, far: 0 };
    stage.setPointerCapture(event.pointerId);
    stage.focus({ preventScroll: true });
  });
  stage.addEventListener("pointermove", (event) => {
    if (!drag) { point(event); return; }
    const dx = event.offsetX - drag.x, dy = event.offsetY - drag.y;
    drag.far = Math.max(drag.far, Math.abs(dx) + Math.abs(dy));
    if (drag.far < 4) return;
    stage.classList.add("dragging");
    tip.hidden = true;
    move(() => {
      const part = dx / (width - NAMES) * (drag.to - drag.from);
      view.from = drag.from - part; view.to = drag.to - part; view.scroll = drag.scroll - dy;
    });
  });
  stage.addEventListener("pointerup", (event) => {
    if (drag && drag.far < 4) click(event.offsetX, event.offsetY);
    drag = null;
    stage.classList.remove("dragging");
  });
  stage.addEventListener("pointerleave", () => { tip.hidden = true; });

  const laneAt = (py) => {
    if (py < HEAD) return -1;
    const id = rowAt(py - HEAD + view.scroll);
    return py - HEAD + view.scroll < bottom && lanes[id] ? id : -1;
  };
  function what(id, px) {
    const life = lanes[id], t = time(px), near = (view.to - view.from) / (width - NAMES) * 4;
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
        ? `a zombie for ${span(life.reaped.at - life.ended)}, reaped by ${label(life.reaped.by)}`
        : `a zombie for ${span(end - life.ended)}, and nobody reaped it`);
    }
    return lines;
  }
  function point(event) {
    const id = event.offsetX >= NAMES ? laneAt(event.offsetY) : -1;
    const lines = id >= 0 ? what(id, event.offsetX) : [];
    tip.hidden = lines.length === 0;
    if (tip.hidden) return;
    tip.textContent = [label(id), ...lines].join("\n");
    tip.style.left = `${Math.min(event.offsetX + 14, width - 260)}px`;
    tip.style.top = `${Math.min(event.offsetY + 14, height - 90)}px`;
  }
  function click(px, py) {
    const id = laneAt(py);
    if (id >= 0 && px < NAMES && lanes[id].threads.length) {
      if (!opened.delete(id)) opened.add(id);
      layOut();
    }
    choose(id);
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
        ? `by ${label(life.reaped.by)}${life.reaped.tid ? ` (thread ${life.reaped.tid})` : ""} `
          + `after ${span(life.reaped.at - life.ended)}`
        : "never: a zombie to the end");
    } else fact("ended", "it lives on");
    if (life.threads.length) fact("threads", String(life.threads.length + 1));
    fact("waits", String(life.waits.length));
    const blocked = life.waits.filter((w) => !w.polls).reduce((sum, w) => sum + w.to - w.from, 0);
    if (blocked) fact("blocked in waits", span(blocked));
  }

  // Findings.
  function chooseFinding(index) {
    finding = index;
    document.querySelectorAll(".finding").forEach((button, at) =>
      button.classList.toggle("chosen", at === index));
    const found = data.findings[index];
    if (!found) { later(); return; }
    const wide = Math.max((found.to - found.from) * 1.6, end / 50, 1000);
    const middle = (found.from + found.to) / 2;
    move(() => { view.from = middle - wide / 2; view.to = middle + wide / 2; });
    const id = found.parent ?? found.children[0];
    if (id != null) { show(id); choose(id); }
    document.querySelectorAll(".finding")[index].scrollIntoView({ block: "nearest" });
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
  const search = () => {
    const query = $("query").value.trim().toLowerCase();
    hits = query === "" ? [] : lanes.flatMap((life, id) =>
      String(life.pid) === query || life.names.some(([, text]) => text.toLowerCase().includes(query))
        ? [id] : []);
    hit = 0;
    if (hits.length) show(hits[0]);
    report();
    clampView();
    later();
  };
  const report = () => {
    const query = $("query").value.trim();
    $("hits").value = query === "" ? "" : hits.length ? `${hit + 1} of ${hits.length}` : "none";
  };
  $("query").addEventListener("input", search);
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!hits.length) return;
    hit = (hit + 1) % hits.length;
    show(hits[hit]);
    choose(hits[hit]);
    report();
    clampView();
  });
  $("fit").addEventListener("click", fit);

  document.addEventListener("keydown", (event) => {
    const typing = event.target === $("query");
    if (event.key === "Escape") { $("query").blur(); choose(-1); chooseFinding(-1); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = NAMES + (width - NAMES) / 2, step = (view.to - view.from) / 10;
    const total = data.findings.length;
    const keys = {
      "/": () => $("query").focus(),
      "0": fit,
      "+": () => zoom(.7, middle), "=": () => zoom(.7, middle), "-": () => zoom(1 / .7, middle),
      ArrowLeft: () => move(() => { view.from -= step; view.to -= step; }),
      ArrowRight: () => move(() => { view.from += step; view.to += step; }),
      ArrowUp: () => move(() => { view.scroll -= ROW * 2; }),
      ArrowDown: () => move(() => { view.scroll += ROW * 2; }),
      PageUp: () => move(() => { view.scroll -= height - HEAD; }),
      PageDown: () => move(() => { view.scroll += height - HEAD; }),
      n: () => total && chooseFinding((finding + 1) % total),
      p: () => total && chooseFinding((finding + total - 1 + (finding < 0 ? 1 : 0)) % total),
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });

  // On paper all rows are shown, at the zoom that the screen has.
  window.addEventListener("beforeprint", () => {
    stage.style.height = `${Math.min(bottom + HEAD + ROW, 12000)}px`;
    view.scroll = 0;
    resize();
  });
  window.addEventListener("afterprint", () => { stage.style.height = ""; resize(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); later(); });
  new ResizeObserver(resize).observe(stage);

  $("title").textContent = data.title;
  const zombies = data.zombies ?? lanes.filter((life) => life.ended != null && !life.reaped).length;
  $("counts").textContent = `${lanes.length} processes, ${span(data.end)}, ${zombies} left as zombies`
    + (data.is_cut ? "; more than a picture can show was left out" : "");
  paint();
  resize();
  if (location.hash.startsWith("#finding=")) chooseFinding(Number(location.hash.slice(9)));

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
})();
