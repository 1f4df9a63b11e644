// The map beside the picture: all rows at once, and which part of them is seen.
let mapOf = null;
const mapWide = () => stage.clientWidth - width;

// Drawn once for each layout.
function drawMap(wide, high) {
  const drawn = document.createElement("canvas");
  const scale = window.devicePixelRatio || 1;
  drawn.width = Math.max(1, wide * scale);
  drawn.height = Math.max(1, high * scale);
  const pen = drawn.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = colours.shade;
  pen.fillRect(0, 0, wide, high);
  const at = (t) => 3 + t / end * (wide - 6);
  const thick = Math.max(1, ROW / bottom * high * .8);
  const marks = (from, to, top, colour) => {
    pen.fillStyle = colour;
    pen.fillRect(at(from), top, Math.max(1, at(to) - at(from)), thick);
  };
  rows.forEach((id, row) => {
    const life = lanes[id], top = tops[row] / bottom * high;
    marks(life.born, life.ended ?? end, top, colours.wait);
    if (life.late) marks(life.ended, life.reaped ? life.reaped.at : end, top, colours.zombie);
    if (worst.get(id)) {
      pen.fillStyle = worst.get(id) > 1 ? colours.zombie : colours.poll;
      pen.fillRect(0, top - 1, 3, 4);
    }
  });
  return drawn;
}
function map() {
  const wide = mapWide(), high = height - HEAD;
  if (wide < SLIM) return;
  mapOf ??= drawMap(wide, high);
  pen.drawImage(mapOf, width, HEAD, wide, high);
  pen.strokeStyle = colours.line;
  pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(width + .5, HEAD); pen.lineTo(width + .5, height); pen.stroke();
  const top = view.scroll / bottom * high;
  const seen = Math.max(8, high / bottom * high);
  pen.fillStyle = colours.dim;
  pen.globalAlpha = .25;
  pen.fillRect(width + 1, HEAD + top, wide - 1, Math.min(seen, high - top));
  pen.globalAlpha = 1;
}
// Scroll so that this place of the map is in the middle.
function goTo(py) {
  const high = height - HEAD;
  move(() => { view.scroll = (py - HEAD) / high * bottom - high / 2; });
}
