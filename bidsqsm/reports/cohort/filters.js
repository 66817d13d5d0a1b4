// What the filter lets through: a search text, checked levels, smallest and largest numbers.
const wanted = new Map(); // id of a field: what is asked of it
let searched = '';

function passes(run) {
  for (const [id, ask] of wanted) {
    const value = field(id).values[run];
    if (ask.levels && !ask.levels.has(value)) return false;
    if (ask.text && !String(value).toLowerCase().includes(ask.text)) return false;
    const bounded = ask.min !== undefined || ask.max !== undefined;
    if (bounded && !(known(value) && value >= (ask.min ?? -Infinity) && value <= (ask.max ?? Infinity))) return false;
  }
  return !searched || texts[run].includes(searched);
}

const texts = range(total).map((run) =>
  [runs.name[run], runs.status[run], runs.reason[run], runs.comments[run], ...runs.why[run], ...runs.warnings[run]].join('\n').toLowerCase(),
);

function applyFilter() {
  state.shown = range(total).filter(passes);
  byId('shown').textContent = `${state.shown.length} of ${plural(total, 'run')}`;
  byId('reset').disabled = !searched && !wanted.size;
  refresh();
}

function ask(id, change) {
  const now = { ...wanted.get(id), ...change };
  for (const key of Object.keys(now)) if (now[key] === undefined) delete now[key];
  if (Object.keys(now).length) wanted.set(id, now);
  else wanted.delete(id);
  applyFilter();
}

function choiceFilter(one) {
  const boxes = levelsOf(one).map(([level, number]) => {
    const box = make('input', { type: 'checkbox', checked: true, value: level });
    box.level = level;
    return [box, make('label', {}, box, ` ${written(level)} (${number})`)];
  });
  const read = () => {
    const on = boxes.filter(([box]) => box.checked).map(([box]) => box.level);
    ask(one.id, { levels: on.length === boxes.length ? undefined : new Set(on) });
  };
  boxes.forEach(([box]) => box.addEventListener('change', read));
  return boxes.map(([, label]) => label);
}

function numberFilter(one) {
  const bound = (key, text) => {
    const input = make('input', { type: 'number', step: 'any' });
    input.addEventListener('input', () => ask(one.id, { [key]: Number.isNaN(input.valueAsNumber) ? undefined : input.valueAsNumber }));
    return make('label', {}, `${text} `, input);
  };
  const values = one.values.filter(known);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return [make('div', { className: 'pair' }, bound('min', `from ${written(low)}`), bound('max', `to ${written(high)}`))];
}

function textFilter(one) {
  const input = make('input', { type: 'search', ariaLabel: one.title });
  input.addEventListener('input', () => ask(one.id, { text: input.value.trim().toLowerCase() || undefined }));
  return [make('label', {}, 'has ', input)];
}

function buildFilters() {
  const place = byId('filters').querySelector('.filters');
  place.textContent = '';
  const offered = fields.filter((one) => one.group === 'Participant' || ['status', 'rating', 'flagged', 'protocol'].includes(one.id));
  const kinds = { choice: choiceFilter, number: numberFilter, text: textFilter };
  for (const one of offered) {
    const set = make('fieldset', {}, make('legend', {}, one.title), ...kinds[one.kind](one));
    set.dataset.field = one.id;
    place.append(set);
  }
}

function showAll() {
  wanted.clear();
  searched = byId('find').value = '';
  buildFilters();
  applyFilter();
}

// A number at the head of the page shows its runs.
function showLevel(id, level) {
  showAll();
  const boxes = byId('filters').querySelectorAll(`[data-field="${id}"] input`);
  boxes.forEach((box) => { box.checked = box.level === level; });
  byId('filters').open = true;
  ask(id, { levels: new Set([level]) });
  byId('filter').scrollIntoView();
}

function startFilters() {
  buildFilters();
  byId('find').addEventListener('input', () => {
    searched = byId('find').value.trim().toLowerCase();
    applyFilter();
  });
  byId('reset').addEventListener('click', showAll);
  for (const count of document.querySelectorAll('#counts [data-filter]')) {
    const place = count.querySelector('dd');
    const button = make('button', { type: 'button', title: 'Show these runs' }, place.firstChild);
    button.addEventListener('click', () => showLevel(count.dataset.filter, count.dataset.level));
    place.prepend(button);
  }
}
