// What all parts of the page share: the runs, small helpers, and who is told when the filter moves.
const data = JSON.parse(document.getElementById('cohort').textContent);
const runs = data.runs;
const total = runs.name.length;
const byId = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name in element && name !== 'list') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const known = (value) => value !== null && value !== undefined && value !== '' && value !== 'n/a';
const written = (value) => (known(value) ? String(value).replace(/^-/, '\u2212') : 'n/a');
const plural = (number, what) => `${number} ${what}${number === 1 ? '' : 's'}`;
const range = (number) => Array.from({ length: number }, (_, index) => index);

// A field is anything that a run has: it can be filtered, sorted by, shown and downloaded.
const fields = [
  { id: 'run', title: 'Run', kind: 'text', group: 'Run', values: runs.name },
  { id: 'status', title: 'Status', kind: 'choice', group: 'Run', values: runs.status },
  { id: 'rating', title: 'Rating', kind: 'choice', group: 'Run', values: runs.rating.map((r) => r || 'not rated') },
  { id: 'flags', title: 'Flags', kind: 'number', group: 'Run', values: runs.flags, sorting: runs.score },
  { id: 'why', title: 'Why', kind: 'text', group: 'Run', values: runs.why.map((w, i) => w.join('; ') || runs.reason[i]) },
  { id: 'flagged', title: 'Flagged', kind: 'choice', group: 'Run', values: runs.flags.map((n) => (n ? 'flagged' : 'not flagged')) },
  { id: 'warnings', title: 'Warnings', kind: 'number', group: 'Run', values: runs.warnings.map((w) => w.length) },
  { id: 'comments', title: 'Comments', kind: 'text', group: 'Run', values: runs.comments },
  { id: 'protocol', title: 'Protocol', kind: 'choice', group: 'Run', values: runs.protocol.map((p) => data.protocols[p] ?? 'n/a') },
  ...data.people.map((p) => ({ id: `people:${p.name}`, title: p.name, kind: p.kind, group: 'Participant', values: p.values })),
  ...data.columns.map((c) => ({
    id: `column:${c.key}`, title: c.unit ? `${c.title} (${c.unit})` : c.title, kind: 'number',
    group: c.group, values: c.values, column: c,
  })),
];
const field = (id) => fields.find((one) => one.id === id);

function inOrder(one, a, b) {
  const values = one.sorting || one.values;
  const [x, y] = [values[a], values[b]];
  if (!known(x) || !known(y)) return known(y) - known(x);
  return one.kind === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true });
}

// Levels of a choice with their counts, in natural order.
function levelsOf(one, among = range(total)) {
  const counts = new Map();
  for (const run of among) counts.set(one.values[run], (counts.get(one.values[run]) || 0) + 1);
  return [...counts].sort(([a], [b]) => known(b) - known(a) || String(a).localeCompare(String(b), 'en', { numeric: true }));
}

const state = { shown: range(total), sort: { id: 'flags', down: true } };
const views = []; // functions that show what the filter lets through

function sortShown() {
  const one = field(state.sort.id);
  const values = one.sorting || one.values;
  state.shown.sort((a, b) => {
    const order = inOrder(one, a, b);
    // what is not known stays last in both directions
    const turned = state.sort.down && known(values[a]) && known(values[b]) ? -order : order;
    return turned || (runs.status[a] === 'ok') - (runs.status[b] === 'ok') || a - b;
  });
}

function refresh() {
  sortShown();
  for (const view of views) view();
}

let decoded = null;
function picture(run) {
  decoded = decoded || JSON.parse(byId('pictures').textContent);
  return decoded[run] && `data:image/webp;base64,${decoded[run]}`;
}

function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/tab-separated-values' }));
  make('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// Something that is done once an element comes near to what is seen.
function whenNear(act) {
  const observer = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && act(entry.target, observer)),
    { rootMargin: '400px' },
  );
  return observer;
}
