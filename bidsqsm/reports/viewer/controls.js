// The page: its controls, and how all parts go together.

function overlaysOf({ masks, regions, overlaysOn }) {
  const style = (kind) => ({
    fill: byId(`${kind}-fill`).value / 100, outlines: byId(`${kind}-outlines`).checked,
  });
  if (!overlaysOn) return [];
  const shown = [...masks.values()].map((volume) => ({ volume, ...style('masks') }));
  if (regions && byId('regions-on').checked) shown.push({ volume: regions, ...style('regions') });
  return shown;
}

function makeActions(about, stage, view, windows) {
  const store = makeStore();
  const { state } = view;

  async function showMap(told) {
    const choice = byId(`map-${told.key}`);
    choice.checked = true;
    await stage.working(async () => {
      const map = await store(told);
      await stage.renderer.prepare?.(map, windows.of(told));
      if (choice.checked) windows.use(map); // unless another was chosen meanwhile
    });
  }

  async function showMask(told, on) {
    if (!on) state.masks.delete(told.key);
    await stage.working(async () => {
      const volume = on && await store(told);
      if (volume && byId(`mask-${told.key}`).checked) state.masks.set(told.key, volume);
    });
  }

  function show(name) {
    state.shown = name;
    if (name !== 'planes') state.active = name;
    for (const button of document.querySelectorAll('[data-show]')) {
      button.setAttribute('aria-pressed', String(button.dataset.show === name));
    }
    stage.arrange();
  }

  function choosePlane(name) {
    view.set({ active: name });
    if (state.shown !== 'planes') show(name);
  }

  function chooseMap(number) {
    const told = about.maps[number];
    if (told) showMap(told);
    return Boolean(told);
  }

  async function start() {
    await stage.working(async () => {
      await stage.chooseRenderer();
      stage.resize();
      await showMap(about.maps[0]);
      if (about.regions) state.regions = await store(about.regions);
    });
  }

  return { showMap, showMask, show, choosePlane, chooseMap, nextWindow: windows.next, start };
}

function listenToControls(about, stage, view, windows, actions) {
  const on = (id, event, does) => byId(id).addEventListener(event, does);
  const each = (selector, event, does) => {
    for (const found of document.querySelectorAll(selector)) {
      found.addEventListener(event, () => does(found));
    }
  };
  for (const told of about.maps) on(`map-${told.key}`, 'change', () => actions.showMap(told));
  for (const told of about.masks) {
    on(`mask-${told.key}`, 'change', ({ target }) => actions.showMask(told, target.checked));
  }
  for (const [name, { through }] of Object.entries(PLANES)) {
    byId(`slice-${name}`).max = about.shape[through] - 1;
    on(`slice-${name}`, 'input', ({ target }) => {
      view.state.active = name;
      view.step(through, Number(target.value) - view.state.voxel[through]);
    });
  }
  const typed = () => windows.set(Number(byId('low').value), Number(byId('high').value));
  each('#low, #high', 'change', typed);
  each('[data-show]', 'click', ({ dataset }) => actions.show(dataset.show));
  each('[data-region]', 'click', ({ dataset }) => (
    view.moveTo(about.regions.middles[dataset.region])));
  each('[data-redraw]', 'input', stage.redraw);
  on('overlays-on', 'change', ({ target }) => view.set({ overlaysOn: target.checked }));
  on('crosshair', 'change', ({ target }) => view.set({ crosshair: target.checked }));
  on('smooth', 'change', ({ target }) => view.set({ smooth: target.checked }));
  on('closer', 'click', () => view.zoomTo(view.state.view.zoom * 1.25));
  on('farther', 'click', () => view.zoomTo(view.state.view.zoom / 1.25));
  on('again', 'click', view.startAgain);
}

function startViewer() {
  const about = JSON.parse(byId('about').textContent);
  const element = byId('stage');
  const stage = makeStage(element, about, overlaysOf);
  const view = makeView(about, stage.redraw);
  stage.view = view;
  const windows = makeWindows(view);
  const actions = makeActions(about, stage, view, windows);
  byId('viewer').hidden = false;
  listenToControls(about, stage, view, windows, actions);
  listenToKeys(element, view, actions);
  listenToPointers(element, {
    tileAt: (x, y) => tileAt(stage.tiles, x, y),
    activate: (name) => view.set({ active: name }),
    point: view.point,
    pan: view.pan,
    step: view.step,
    zoomBy: (factor) => view.zoomTo(view.state.view.zoom * factor),
    turnWindow: windows.turn,
  });
  new ResizeObserver(stage.resize).observe(element);
  actions.start();
}

if ('DecompressionStream' in window && 'OffscreenCanvas' in window) startViewer();
else byId('old').hidden = false;
