// How a strip plot is drawn: ground, axis, dots and outliers, in the colours of the page.
const AXIS = 18; // pixels below the dots
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(plot) {
  const width = plot.canvas.clientWidth;
  if (!width) return;
  const height = layOut(plot, width);
  const scale = window.devicePixelRatio || 1;
  plot.canvas.style.height = `${height}px`;
  plot.canvas.width = width * scale;
  plot.canvas.height = height * scale;
  const pen = plot.canvas.getContext('2d');
  pen.scale(scale, scale);
  drawGround(plot, pen, width, height);
  const colours = { dot: ink('--dot'), bad: ink('--bad'), card: ink('--card'), ink: ink('--ink') };
  for (const row of range(COLOURS)) colours[row] = ink(`--c${row}`);
  pen.globalAlpha = plot.points.length > 300 ? 0.5 : 0.75;
  for (const point of plot.points) if (!point.out) dot(pen, point, colours[point.colour ?? 'dot']);
  pen.globalAlpha = 1;
  for (const point of plot.points) if (point.out) diamond(pen, point, colours);
  if (plot.chosen) ring(pen, plot.chosen, colours.ink);
  plot.drawn = true;
  describe(plot);
}

function drawGround(plot, pen, width, height) {
  const place = (value) => MARGIN + plot.axis.at(value) * (width - 2 * MARGIN);
  pen.font = '11px system-ui, sans-serif';
  if (plot.column.range) {
    const [low, high] = plot.column.range.map(place);
    pen.fillStyle = ink('--good-bg');
    pen.fillRect(low, 0, high - low, height - AXIS);
  }
  pen.fillStyle = ink('--soft');
  plot.rows.forEach((row, index) => row.title && pen.fillText(row.title, 1, index * plot.rowHeight + 10));
  if (split && split.kind === 'number') {
    const ends = axisOf(split);
    pen.fillText(`${split.title} ${written(ends.high)}`, 1, 10);
    pen.fillText(written(ends.low), 1, height - AXIS - 3);
  }
  pen.strokeStyle = ink('--line');
  pen.beginPath();
  pen.moveTo(0, height - AXIS + 0.5);
  pen.lineTo(width, height - AXIS + 0.5);
  pen.stroke();
  const { low, high } = plot.axis;
  pen.fillText(written(low), 0, height - 4);
  pen.textAlign = 'right';
  pen.fillText(written(high), width, height - 4);
  if (plot.middle !== undefined) {
    pen.textAlign = 'center';
    const x = place(plot.middle);
    pen.fillRect(x - 0.5, height - AXIS - 3, 1, 6);
    if (x > 60 && x < width - 60) pen.fillText(written(plot.middle), x, height - 4);
  }
  pen.textAlign = 'left';
}

function dot(pen, { x, y }, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, 2.6, 0, 7);
  pen.fill();
}

function diamond(pen, { x, y }, colours) {
  pen.beginPath();
  for (const [dx, dy] of [[0, -5.5], [5.5, 0], [0, 5.5], [-5.5, 0]]) pen.lineTo(x + dx, y + dy);
  pen.closePath();
  pen.fillStyle = colours.bad;
  pen.strokeStyle = colours.card;
  pen.fill();
  pen.stroke();
}

function ring(pen, { x, y }, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, y, 7, 0, 7);
  pen.stroke();
}
