// Strip plots: every run a dot along the axis of a number, drawn when they come into view.
const COLOURS = 8;
const MOST_LEVELS = 12;
const MARGIN = 9; // pixels left and right of the axis
const plots = [];
let split = null;
const measured = range(total).filter((run) => data.columns.some((column) => known(column.values[run])));

function axisOf(column) {
  const values = column.values.filter(known).concat(column.range || []);
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const log = low > 0 && high / low > 30;
  const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high];
  const width = to - from || Math.abs(from) || 1;
  return { low, high, at: (value) => ((log ? Math.log(value) : value) - from + (to === from ? width / 2 : 0)) / width };
}

// The levels that runs are split by; long ones go by a letter, which the legend explains.
function splitLevels() {
  const levels = levelsOf(split, measured).slice(0, MOST_LEVELS).map(([level]) => level);
  const long = levels.some((level) => written(level).length > 12);
  return levels.map((level, index) => ({
    level, colour: index % COLOURS, short: long ? String.fromCharCode(65 + index) : written(level),
  }));
}

// The rows of a plot: one for each level that the runs are split by, or one for all.
function rowsOf(shown) {
  if (!split || split.kind === 'number') return [{ title: '', runs: shown }];
  return splitLevels().map(({ level, short, colour }) => ({
    title: short, colour, runs: shown.filter((run) => split.values[run] === level),
  })).filter((row) => row.runs.length);
}

// Dots that would lie on each other move apart, up and down.
function swarm(points, top, height) {
  const bins = new Map();
  for (const point of points) {
    const bin = Math.round(point.x / 4);
    if (!bins.has(bin)) bins.set(bin, []);
    bins.get(bin).push(point);
  }
  let most = 1;
  for (const bin of bins.values()) most = Math.max(most, bin.length);
  const step = Math.min(5, (height - 8) / most);
  for (const bin of bins.values()) {
    bin.forEach((point, place) => {
      point.y = top + height / 2 + (place % 2 ? 1 : -1) * Math.ceil(place / 2) * step;
    });
  }
}

// Split by a number, the plot shows one against the other.
function scatter(points, top, height) {
  const axis = axisOf(split);
  for (const point of points) {
    const value = split.values[point.run];
    point.y = known(value) ? top + height - 5 - axis.at(value) * (height - 10) : NaN;
  }
}

function layOut(plot, width) {
  const shown = state.shown.filter((run) => known(plot.column.values[run]));
  const rows = rowsOf(shown);
  const against = split && split.kind === 'number';
  const height = against ? 120 : rows.length > 1 ? 36 : 46;
  plot.points = [];
  rows.forEach((row, index) => {
    const points = row.runs.map((run) => ({
      run, x: MARGIN + plot.axis.at(plot.column.values[run]) * (width - 2 * MARGIN), colour: row.colour, out: run in plot.column.z,
    }));
    if (against) scatter(points, 0, height);
    else swarm(points, index * height + (row.title ? 8 : 0), height - (row.title ? 8 : 0));
    plot.points.push(...points.filter((point) => !Number.isNaN(point.y)));
  });
  plot.points.sort((a, b) => a.x - b.x);
  plot.rows = rows;
  plot.rowHeight = height;
  return height * rows.length + AXIS;
}

function told(plot, point) {
  const z = plot.column.z[point.run];
  const unit = plot.column.unit ? ` ${plot.column.unit}` : '';
  const far = z === undefined ? '' : `, ${written(z)} robust SD`;
  const other = split && split.kind === 'number' ? `, ${split.title} ${written(split.values[point.run])}` : '';
  return `${runs.name[point.run]}: ${written(plot.column.values[point.run])}${unit}${far}${other}`;
}

function describe(plot) {
  const out = plot.points.filter((point) => point.out).length;
  plot.canvas.setAttribute('aria-valuemax', Math.max(0, plot.points.length - 1));
  const place = plot.chosen ? plot.points.findIndex((point) => point.run === plot.chosen.run) : 0;
  plot.canvas.setAttribute('aria-valuenow', Math.max(0, place));
  plot.canvas.setAttribute('aria-valuetext', plot.chosen ? told(plot, plot.chosen) : `${plural(plot.points.length, 'run')}, ${plural(out, 'outlier')}`);
}

function choose(plot, point, where) {
  plot.chosen = point;
  draw(plot);
  const tip = byId('tip');
  tip.hidden = !point;
  if (!point) return;
  tip.textContent = told(plot, point);
  const box = plot.canvas.getBoundingClientRect();
  const left = where ? where.clientX : box.left + point.x;
  tip.style.left = `${Math.max(4, Math.min(left + 12, window.innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${box.top + point.y + 14}px`;
}

function nearest(plot, event) {
  const box = plot.canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let [best, least] = [null, 144];
  for (const point of plot.points || []) {
    const apart = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (apart < least) [best, least] = [point, apart];
  }
  return best;
}

function openRun(point) {
  if (point && runs.page[point.run]) window.location.href = runs.page[point.run];
}

const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };

function byKey(plot, event) {
  if (event.key === 'Enter') openRun(plot.chosen);
  if (event.key === 'Escape') choose(plot, null);
  if (!(event.key in STEPS) || !plot.points || !plot.points.length) return;
  event.preventDefault();
  const step = STEPS[event.key];
  const now = plot.chosen ? plot.points.findIndex((point) => point.run === plot.chosen.run) : step > 0 ? -1 : plot.points.length;
  const next = Math.max(0, Math.min(plot.points.length - 1, now + step));
  choose(plot, plot.points[next]);
}

function buildPlot(column) {
  const canvas = make('canvas', { tabIndex: 0 });
  const values = column.values.filter(known).sort((a, b) => a - b);
  const plot = { column, canvas, axis: axisOf(column), middle: values[values.length >> 1] };
  for (const [name, value] of Object.entries({ role: 'slider', 'aria-label': column.title, 'aria-valuemin': 0, 'aria-valuenow': 0, 'aria-valuemax': Math.max(0, values.length - 1) })) canvas.setAttribute(name, value);
  canvas.addEventListener('mousemove', (event) => {
    const point = nearest(plot, event);
    if (point !== plot.chosen) choose(plot, point, event);
  });
  canvas.addEventListener('mouseleave', () => choose(plot, null));
  canvas.addEventListener('blur', () => choose(plot, null));
  canvas.addEventListener('keydown', (event) => byKey(plot, event));
  canvas.addEventListener('click', (event) => openRun(nearest(plot, event)));
  const caption = make('figcaption', { title: column.about }, column.title, ' ');
  const better = column.better ? `, ${column.better} is better` : '';
  caption.append(make('small', {}, `${column.unit || 'ratio'}${better}`));
  plot.figure = make('figure', { className: 'strip' }, caption, canvas);
  canvas.plot = plot;
  return plot;
}

const seen = new Set(); // plots in view
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) seen.add(target.plot);
    else seen.delete(target.plot);
    if (isIntersecting && !target.plot.drawn) draw(target.plot);
  }
}, { rootMargin: '300px' });

function redraw() {
  for (const plot of plots) {
    plot.drawn = false;
    plot.chosen = null;
    if (seen.has(plot)) draw(plot);
  }
}

// Which plots there are: those asked for, under the headings of their groups.
function pickPlots() {
  const text = byId('which-plots').value.trim().toLowerCase();
  for (const plot of plots) {
    const { column } = plot;
    const side = byId('sides').checked ? column.side !== 'B' : column.side !== 'L' && column.side !== 'R';
    const out = !byId('only-out').checked || Object.keys(column.z).length;
    plot.figure.hidden = !(side && out && column.title.toLowerCase().includes(text));
  }
  for (const part of byId('strips').children) part.hidden = !part.querySelector('.strip:not([hidden])');
}

function showLegend() {
  const rows = split && split.kind !== 'number' ? splitLevels() : [];
  byId('legend').replaceChildren(...rows.map(({ level, short, colour }) => {
    const mark = make('i', {});
    mark.style.background = `var(--c${colour})`;
    return make('span', {}, mark, short === written(level) ? short : `${short}: ${written(level)}`);
  }));
  if (data.columns.some((column) => column.range)) {
    const mark = make('i', {});
    mark.style.background = 'var(--good-bg)';
    mark.style.outline = '1px solid var(--edge)';
    byId('legend').append(make('span', {}, mark, 'published means of healthy adults'));
  }
}

function startStrips() {
  const groups = new Map();
  for (const column of data.columns) {
    const plot = buildPlot(column);
    plots.push(plot);
    if (!groups.has(column.group)) groups.set(column.group, make('div', { className: 'strips' }));
    groups.get(column.group).append(plot.figure);
    watcher.observe(plot.canvas);
  }
  for (const [title, group] of groups) byId('strips').append(make('div', {}, make('h3', {}, title), group));
  if (!data.columns.length) byId('strips').append(make('p', {}, 'No run has numbers to plot.'));
  const offered = fields.filter((one) => one.id === 'protocol' || one.id === 'rating' || (one.group === 'Participant' && one.kind !== 'text'));
  byId('split').append(make('option', { value: '' }, 'nothing'), ...offered.map((one) => make('option', { value: one.id }, one.title)));
  byId('split').addEventListener('change', () => {
    split = field(byId('split').value) || null;
    showLegend();
    redraw();
  });
  // runs of several protocols are best seen apart
  if (data.protocols.length > 1 && data.protocols.length <= 6) {
    byId('split').value = 'protocol';
    split = field('protocol');
  }
  for (const id of ['which-plots', 'sides', 'only-out']) byId(id).addEventListener('input', pickPlots);
  let waiting = 0;
  window.addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(redraw, 150); });
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  window.addEventListener('beforeprint', () => plots.forEach((plot) => plot.drawn || draw(plot)));
  showLegend();
  pickPlots();
  views.push(redraw);
}
