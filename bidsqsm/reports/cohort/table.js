// The table: any column, sorted by any, a page of rows at a time.
const ROWS = 100;
let rowsAtOnce = ROWS;
const columnsShown = new Set(['run', 'status', 'rating', 'flags', 'why', ...fields.filter((f) => f.group === 'Participant').slice(0, 4).map((f) => f.id)]);
if (data.protocols.length > 1) columnsShown.add('protocol');
let firstRow = 0;

const tableFields = () => fields.filter((one) => columnsShown.has(one.id));

function sortBy(one) {
  const again = state.sort.id === one.id;
  state.sort = { id: one.id, down: again ? !state.sort.down : one.kind === 'number' };
  refresh();
  byId('rows').querySelector('[aria-sort] button').focus();
}

function heading(one) {
  const button = make('button', { type: 'button' }, one.title);
  button.addEventListener('click', () => sortBy(one));
  const cell = make('th', { scope: 'col', className: one.kind === 'number' ? 'num' : '' }, button);
  if (state.sort.id === one.id) {
    cell.setAttribute('aria-sort', state.sort.down ? 'descending' : 'ascending');
    button.append(state.sort.down ? ' \u25be' : ' \u25b4');
  }
  return cell;
}

function runCell(run) {
  const cell = make('th', { scope: 'row' }, runs.page[run] ? make('a', { href: runs.page[run] }, runs.name[run]) : runs.name[run]);
  if (runs.viewer[run]) cell.append(' ', make('a', { href: runs.viewer[run], className: 'viewer', ariaLabel: `viewer of ${runs.name[run]}` }, 'viewer'));
  return cell;
}

const tag = (text, look) => make('span', { className: `tag ${look}` }, text);

function reasons(run) {
  const [first, ...more] = runs.why[run].length ? runs.why[run] : [runs.reason[run]];
  const cell = make('td', { className: 'why' }, first || '\u2013');
  if (more.length) {
    cell.append(` and ${runs.flags[run] - 1} more`);
    cell.title = more.join('\n');
  }
  return cell;
}

function cellOf(one, run) {
  if (one.id === 'run') return runCell(run);
  if (one.id === 'status') return make('td', {}, tag(runs.status[run], runs.status[run] === 'missing' ? 'missing-run' : runs.status[run]));
  if (one.id === 'rating') return make('td', {}, runs.rating[run] ? tag(runs.rating[run], runs.rating[run]) : '\u2013');
  if (one.id === 'why') return reasons(run);
  const out = one.column && run in one.column.z;
  const cell = make('td', { className: one.kind === 'number' ? 'num' : '' }, written(one.values[run]));
  if (one.id === 'warnings') cell.title = runs.warnings[run].join('\n');
  if (['protocol', 'comments'].includes(one.id)) cell.className = 'wide';
  if (out) {
    cell.className = 'num out';
    cell.append(' \u25c6');
    cell.title = `${written(one.column.z[run])} robust SD from the median`;
  }
  return cell;
}

function showTable() {
  const shown = tableFields();
  const last = Math.max(0, Math.floor((state.shown.length - 1) / ROWS)) * ROWS;
  firstRow = Math.min(Math.max(firstRow, 0), last);
  const page = state.shown.slice(firstRow, firstRow + rowsAtOnce);
  const head = make('thead', {}, make('tr', {}, ...shown.map(heading)));
  const body = make('tbody', {}, ...page.map((run) => make('tr', {}, ...shown.map((one) => cellOf(one, run)))));
  if (!page.length) body.append(make('tr', {}, make('td', { colSpan: shown.length }, 'No run passes the filter.')));
  byId('rows').replaceChildren(make('table', {}, head, body));
  byId('which').textContent = page.length ? `Rows ${firstRow + 1} to ${firstRow + page.length} of ${state.shown.length}` : '';
  byId('before').disabled = firstRow === 0;
  byId('after').disabled = firstRow === last;
}

function turn(step) {
  firstRow += step * ROWS;
  showTable();
  byId('rows').scrollTop = 0;
}

// On paper, all rows that the filter lets through.
function showForPaper(on) {
  rowsAtOnce = on ? Infinity : ROWS;
  firstRow = 0;
  showTable();
}

function buildChooser() {
  const groups = new Map();
  for (const one of fields) {
    if (one.id === 'run') continue;
    const box = make('input', { type: 'checkbox', checked: columnsShown.has(one.id) });
    box.addEventListener('change', () => {
      if (box.checked) columnsShown.add(one.id);
      else columnsShown.delete(one.id);
      showTable();
    });
    if (!groups.has(one.group)) groups.set(one.group, make('fieldset', {}, make('legend', {}, one.group)));
    groups.get(one.group).append(make('label', {}, box, ` ${one.title}`));
  }
  byId('chooser').querySelector('.filters').append(...groups.values());
}

// text that a spreadsheet would take for a formula gets an apostrophe; numbers stay
function inert(text) {
  const number = /^([+-]?(\d[\d.,]*|[.,]\d+)(e[+-]?\d+)? ?%?|[+-]?(inf|nan)|[+-]+)$/i;
  return /^[=+\-@＝＋－＠]/.test(text) && !number.test(text) ? `'${text}` : text;
}

function asTsv() {
  const shown = tableFields();
  const clean = (value) => (known(value) ? inert(String(value).replace(/\s+/g, ' ').trim()) : 'n/a');
  const rows = state.shown.map((run) => shown.map((one) => clean(one.values[run])).join('\t'));
  return [shown.map((one) => clean(one.title)).join('\t'), ...rows].join('\n') + '\n';
}

function startTable() {
  byId('chooser').addEventListener('toggle', buildChooser, { once: true });
  byId('before').addEventListener('click', () => turn(-1));
  byId('after').addEventListener('click', () => turn(1));
  window.addEventListener('beforeprint', () => showForPaper(true));
  window.addEventListener('afterprint', () => showForPaper(false));
  byId('download').addEventListener('click', () => save('group_table.tsv', asTsv()));
  views.push(() => { firstRow = 0; showTable(); });
}
