// The montage: one slice of every run, some at a time as the page is scrolled.
const TILES = 120;
let laid = 0;
const end = make('li', { className: 'end', ariaHidden: 'true' });

function absence(run) {
  if (runs.status[run] === 'ok') return 'no picture';
  return `${runs.status[run]}: ${runs.reason[run] || 'no maps'}`.slice(0, 90);
}

function tile(run) {
  const item = make('li', { className: runs.flags[run] ? 'flagged' : '' });
  const content = [];
  const source = picture(run);
  if (source) content.push(make('img', { src: source, alt: `Axial slice of ${runs.name[run]}`, decoding: 'async' }));
  else content.push(make('span', { className: 'empty' }, absence(run)));
  const name = make('span', { className: 'name' }, runs.name[run]);
  if (runs.flags[run]) name.append(' ', make('span', { className: 'badge' }, `\u25c6\u00a0${runs.flags[run]}`));
  if (source && runs.status[run] !== 'ok') name.append(` ${runs.status[run]}`);
  if (runs.rating[run]) name.append(` ${runs.rating[run]}`);
  content.push(name);
  item.append(runs.page[run] ? make('a', { href: runs.page[run], title: runs.why[run].join('\n') }, ...content) : make('div', {}, ...content));
  return item;
}

function layMore(number = TILES) {
  const next = state.shown.slice(laid, laid + number);
  laid += next.length;
  end.before(...next.map(tile));
  end.hidden = laid >= state.shown.length;
}

const onEnd = whenNear((_, observer) => {
  layMore();
  // asked again, as what came may not have filled the screen
  observer.unobserve(end);
  if (!end.hidden) observer.observe(end);
});

function showMontage() {
  byId('tiles').replaceChildren(end);
  laid = 0;
  end.hidden = false;
  onEnd.unobserve(end);
  onEnd.observe(end);
}

// The runs to look at get their pictures, too.
function showLooks() {
  const near = whenNear((place, observer) => {
    observer.unobserve(place);
    const source = picture(Number(place.querySelector('.thumb').dataset.run));
    if (source) place.querySelector('.thumb').append(make('img', { src: source, alt: '', decoding: 'async' }));
  });
  document.querySelectorAll('.look > li').forEach((item) => near.observe(item));
}

function startMontage() {
  views.push(showMontage);
  window.addEventListener('beforeprint', () => layMore(Infinity));
  showLooks();
}
