// Moving about: wheel, pointer, keys.
function clampView() {
  const least = 1000, most = end * 4;
  const wide = Math.min(Math.max(view.to - view.from, least), most);
  view.to = view.from + wide;
  const slack = wide * .5;
  if (view.from < -slack) { view.from = -slack; view.to = view.from + wide; }
  if (view.from > end) { view.from = end; view.to = end + wide; }
  view.scroll = Math.max(0, Math.min(view.scroll, bottom - height + HEAD + ROW / 2));
}
function move(change) { change(); clampView(); later(); }
const zoom = (factor, px) => move(() => {
  const at = time(px);
  view.from = at - (at - view.from) * factor;
  view.to = at + (view.to - at) * factor;
});
// Other rows than before are shown.
function laidOut() {
  layOut();
  $("only").setAttribute("aria-pressed", only);
  $("fold").textContent = folded.size ? "Unfold all" : "Fold";
  resize();
}
function show(id) {
  if (rowOf[id] < 0) { reveal(id); laidOut(); }
  const top = tops[rowOf[id]];
  if (top < view.scroll || top > view.scroll + height - HEAD - 2 * ROW) {
    move(() => { view.scroll = top - (height - HEAD) / 3; });
  }
}
const fit = () => move(() => { view.from = 0; view.to = end * 1.02; });
function showOnly(wanted) {
  only = wanted && kept.size > 0;
  view.scroll = 0;
  laidOut();
}
function fold(id) {
  if (!folded.delete(id)) folded.add(id);
  laidOut();
}
function foldAll() {
  if (folded.size) folded.clear();
  else foldDeep(20);
  only = false;
  laidOut();
}

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const overRows = event.offsetX < left || event.offsetX > width;
  if (event.shiftKey || event.ctrlKey || event.metaKey || Math.abs(event.deltaX) < 1) {
    if (event.shiftKey) move(() => { view.scroll += event.deltaY || event.deltaX; });
    else if (overRows) move(() => { view.scroll += event.deltaY; });
    else zoom(Math.exp(event.deltaY * .0015), event.offsetX);
  } else {
    const part = event.deltaX / (width - left) * (view.to - view.from);
    move(() => { view.from += part; view.to += part; view.scroll += event.deltaY; });
  }
}, { passive: false });
let drag = null;
stage.addEventListener("pointerdown", (event) => {
  drag = { x: event.offsetX, y: event.offsetY, from: view.from, to: view.to,
    scroll: view.scroll, far: 0, onMap: event.offsetX > width };
  stage.setPointerCapture(event.pointerId);
  stage.focus({ preventScroll: true });
  if (drag.onMap) goTo(event.offsetY);
});
stage.addEventListener("pointermove", (event) => {
  if (!drag) { point(event); return; }
  if (drag.onMap) { goTo(event.offsetY); return; }
  const dx = event.offsetX - drag.x, dy = event.offsetY - drag.y;
  drag.far = Math.max(drag.far, Math.abs(dx) + Math.abs(dy));
  if (drag.far < 4) return;
  stage.classList.add("dragging");
  tip.hidden = true;
  move(() => {
    const part = dx / (width - left) * (drag.to - drag.from);
    view.from = drag.from - part; view.to = drag.to - part; view.scroll = drag.scroll - dy;
  });
});
stage.addEventListener("pointerup", (event) => {
  if (drag && !drag.onMap && drag.far < 4) click(event.offsetX, event.offsetY);
  drag = null;
  stage.classList.remove("dragging");
});
stage.addEventListener("pointerleave", () => { tip.hidden = true; pointAt(-1); });

const laneAt = (py) => {
  const at = py - HEAD + view.scroll;
  return py >= HEAD && at < bottom && rows.length ? rows[rowAt(at)] : -1;
};
function pointAt(id) {
  if (hover !== id) { hover = id; later(); }
}
function point(event) {
  const isInside = event.offsetX >= left && event.offsetX <= width;
  const id = isInside ? laneAt(event.offsetY) : -1;
  pointAt(id);
  const lines = id >= 0 ? what(id, event.offsetX) : [];
  tip.hidden = lines.length === 0;
  if (tip.hidden) return;
  tip.textContent = [label(id), ...lines].join("\n");
  tip.style.left = `${Math.max(0, Math.min(event.offsetX + 14, width - 260))}px`;
  tip.style.top = `${Math.min(event.offsetY + 14, height - 90)}px`;
}
function click(px, py) {
  const id = laneAt(py);
  if (id >= 0 && px < left) {
    const life = lanes[id];
    // Its sign, or the picture of what is folded, folds; its name shows threads.
    const isSign = px < indent(life) || py - y(id) > ROW;
    if (isSign && life.below && !only) fold(id);
    else if (life.threads.length) {
      if (!opened.delete(id)) opened.add(id);
      laidOut();
    }
  }
  choose(id);
}
// The next row, or the one before.
function step(by) {
  const row = chosen >= 0 && rowOf[chosen] >= 0 ? rowOf[chosen] + by : 0;
  const id = rows[Math.max(0, Math.min(row, rows.length - 1))];
  if (id == null) return;
  show(id);
  choose(id);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target === $("query");
  if (event.key === "Escape") { $("query").blur(); choose(-1); chooseFinding(-1); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const middle = left + (width - left) / 2, part = (view.to - view.from) / 10;
  const total = data.findings.length;
  const keys = {
    "/": () => $("query").focus(),
    "0": fit,
    "+": () => zoom(.7, middle), "=": () => zoom(.7, middle), "-": () => zoom(1 / .7, middle),
    ArrowLeft: () => move(() => { view.from -= part; view.to -= part; }),
    ArrowRight: () => move(() => { view.from += part; view.to += part; }),
    ArrowUp: () => move(() => { view.scroll -= ROW * 2; }),
    ArrowDown: () => move(() => { view.scroll += ROW * 2; }),
    PageUp: () => move(() => { view.scroll -= height - HEAD; }),
    PageDown: () => move(() => { view.scroll += height - HEAD; }),
    Home: () => move(() => { view.scroll = 0; }),
    End: () => move(() => { view.scroll = bottom; }),
    j: () => step(1), k: () => step(-1),
    f: () => chosen >= 0 && lanes[chosen].below ? fold(chosen) : foldAll(),
    o: () => showOnly(!only),
    n: () => total && chooseFinding((finding + 1) % total),
    p: () => total && chooseFinding((finding + total - 1 + (finding < 0 ? 1 : 0)) % total),
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
