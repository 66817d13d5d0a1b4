// The page: what is shown, and the controls, keys and words that go with it.

const MOST_ZOOM = 12;
const LEAP = 5; // voxels of a step with the shift key
const byId = (id) => document.getElementById(id);

async function startViewer() {
  const about = JSON.parse(byId('about').textContent);
  const { shape } = about;
  const length = shape.map((count, axis) => count * about.voxelSize[axis]);
  const store = makeStore();
  const stage = byId('stage');
  const over = byId('over').getContext('2d');
  const state = {
    map: null, window: [0, 1], windows: new Map(), voxel: [...about.start], shown: 'planes',
    active: 'axial', view: { centre: [0.5, 0.5, 0.5], zoom: 1 }, smooth: true, crosshair: true,
    masks: new Map(), regions: null, overlaysOn: true,
  };
  let renderer = null;
  let tiles = [];
  let ratio = 1;
  let wanted = false;
  let busy = 0;

  // ---- drawing

  function overlays() {
    const style = (kind) => ({
      fill: byId(`${kind}-fill`).value / 100, outlines: byId(`${kind}-outlines`).checked,
    });
    if (!state.overlaysOn) return [];
    const masks = [...state.masks.values()].map((volume) => ({ volume, ...style('masks') }));
    const regions = state.regions && byId('regions-on').checked
      ? [{ volume: state.regions, ...style('regions') }] : [];
    return [...masks, ...regions];
  }

  function draw() {
    wanted = false;
    if (!state.map || !tiles.length) return;
    const view = { centre: seen(state.view.centre, state.view.zoom), zoom: state.view.zoom };
    renderer.draw({ ...state, view, tiles, shape, ratio });
    over.setTransform(ratio, 0, 0, ratio, 0, 0);
    over.clearRect(0, 0, stage.clientWidth, stage.clientHeight);
    drawOver(over, { ...state, view, tiles, shape, overlays: overlays() });
    tell();
    stage.setAttribute('aria-busy', String(busy > 0));
  }

  function redraw() {
    stage.setAttribute('aria-busy', 'true');
    if (!wanted) requestAnimationFrame(draw);
    wanted = true;
  }

  function resize() {
    ratio = window.devicePixelRatio || 1;
    for (const canvas of stage.querySelectorAll('canvas')) {
      canvas.width = Math.round(stage.clientWidth * ratio);
      canvas.height = Math.round(stage.clientHeight * ratio);
    }
    arrange();
  }

  function arrange() {
    tiles = layOut(state.shown, length, stage.clientWidth, stage.clientHeight);
    redraw();
  }

  async function working(task) {
    busy += 1;
    stage.setAttribute('aria-busy', 'true');
    try {
      return await task();
    } finally {
      busy -= 1;
      redraw();
    }
  }

  // ---- words

  function tell() {
    byId('quantity').textContent = state.map.about.title;
    byId('value').textContent = spokenValue(state.map, state.voxel);
    const label = state.regions ? stored(state.regions, state.voxel) : 0;
    byId('region').textContent = label ? state.regions.about.names[label - 1] : 'no region';
    const inside = [...state.masks.values()].filter((mask) => stored(mask, state.voxel));
    byId('inside').textContent = inside.map((mask) => mask.about.title).join(', ') || '\u2013';
    const at = (matrix) => matrix.map(([x, y, z, t]) => (
      x * state.voxel[0] + y * state.voxel[1] + z * state.voxel[2] + t));
    const sides = [['R', 'L'], ['A', 'P'], ['S', 'I']];
    byId('place').textContent = at(about.affine)
      .map((mm, axis) => `${sides[axis][mm < 0 ? 1 : 0]} ${Math.abs(mm).toFixed(1)}`).join(', ');
    byId('voxel').textContent = at(about.stored).join(', ');
    for (const [name, { through }] of Object.entries(PLANES)) {
      const slider = byId(`slice-${name}`);
      slider.value = state.voxel[through];
      slider.setAttribute('aria-valuetext', `slice ${state.voxel[through] + 1} of ${shape[through]}`);
      byId(`number-${name}`).textContent = `${state.voxel[through] + 1} / ${shape[through]}`;
    }
    byId('zoom').textContent = `${Math.round(100 * state.view.zoom)} %`;
  }

  // ---- what can be done

  function moveTo(voxel) {
    state.voxel = voxel.map((at, axis) => bounded(at, shape[axis]));
    const parts = partsOf(state.voxel, shape);
    const centre = seen(state.view.centre, state.view.zoom);
    const half = 0.5 / state.view.zoom;
    // what leaves the view takes it along
    state.view.centre = centre.map((at, axis) => (
      Math.abs(parts[axis] - at) > half ? parts[axis] : at));
    redraw();
  }

  function step(axis, count) {
    moveTo(state.voxel.map((at, own) => (own === axis ? at + count : at)));
  }

  function setZoom(zoom) {
    const parts = partsOf(state.voxel, shape);
    const before = state.view;
    const after = Math.min(Math.max(zoom, 1), MOST_ZOOM);
    // the crosshair keeps its place on the stage
    state.view = {
      zoom: after,
      centre: seen(before.centre, before.zoom).map((at, axis) => (
        parts[axis] - ((parts[axis] - at) * before.zoom) / after)),
    };
    redraw();
  }

  function pan(tile, right, down) {
    const centre = seen(state.view.centre, state.view.zoom);
    centre[tile.across] += right / tile.w / state.view.zoom;
    centre[tile.up] += down / tile.h / state.view.zoom;
    state.view.centre = centre;
    redraw();
  }

  function setWindow(low, high) {
    if (!(high > low)) return;
    state.window = [low, high];
    state.windows.set(state.map.about.key, state.window);
    const digits = Math.max(0, 3 - Math.floor(Math.log10(high - low)));
    byId('low').value = Number(low.toFixed(digits));
    byId('high').value = Number(high.toFixed(digits));
    for (const button of byId('windows').children) {
      const same = Number(button.dataset.low) === low && Number(button.dataset.high) === high;
      button.setAttribute('aria-pressed', String(same));
    }
    redraw();
  }

  function turnWindow(right, down) {
    const [low, high] = state.window;
    const middle = (low + high) / 2 + ((high - low) * down) / 400;
    const half = ((high - low) / 2) * Math.exp(right / 200);
    setWindow(middle - half, middle + half);
  }

  function offerWindows({ windows, unit }) {
    byId('windows').replaceChildren(...windows.map(({ name, low, high }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      Object.assign(button.dataset, { low, high });
      button.addEventListener('click', () => setWindow(low, high));
      return button;
    }));
    byId('unit').textContent = unit || 'arbitrary units';
  }

  async function showMap(key) {
    const told = about.maps.find((map) => map.key === key);
    byId(`map-${key}`).checked = true;
    const limits = state.windows.get(key) || [told.windows[0].low, told.windows[0].high];
    await working(async () => {
      const map = await store(told);
      await renderer.prepare?.(map, limits);
      if (!byId(`map-${key}`).checked) return; // another was chosen meanwhile
      state.map = map;
      offerWindows(told);
      setWindow(...limits);
    });
  }

  async function showMask(key, on) {
    const told = about.masks.find((mask) => mask.key === key);
    if (!on) state.masks.delete(key);
    await working(async () => {
      const volume = on && await store(told);
      if (on && byId(`mask-${key}`).checked) state.masks.set(key, volume);
    });
  }

  function show(name) {
    state.shown = name;
    if (name !== 'planes') state.active = name;
    for (const button of document.querySelectorAll('[data-show]')) {
      button.setAttribute('aria-pressed', String(button.dataset.show === name));
    }
    arrange();
  }

  function startAgain() {
    state.view = { centre: [0.5, 0.5, 0.5], zoom: 1 };
    moveTo([...about.start]);
  }

  // ---- keys, while the pictures have the focus

  function act(key, shift) {
    const plane = PLANES[state.active];
    const count = shift ? LEAP : 1;
    const maps = about.maps.map((map) => map.key);
    const presets = [...byId('windows').children];
    const next = presets.findIndex((b) => b.getAttribute('aria-pressed') === 'true') + 1;
    const doing = {
      // the pictures run against their axes: a step to the left is one up
      ArrowLeft: () => step(plane.across, count),
      ArrowRight: () => step(plane.across, -count),
      ArrowUp: () => step(plane.up, count),
      ArrowDown: () => step(plane.up, -count),
      PageUp: () => step(plane.through, count),
      PageDown: () => step(plane.through, -count),
      Home: startAgain,
      '+': () => setZoom(state.view.zoom * 1.25),
      '=': () => setZoom(state.view.zoom * 1.25),
      '-': () => setZoom(state.view.zoom / 1.25),
      0: () => setZoom(1),
      a: () => choosePlane('axial'),
      c: () => choosePlane('coronal'),
      s: () => choosePlane('sagittal'),
      m: () => show(state.shown === 'planes' ? state.active : 'planes'),
      o: () => byId('overlays-on').click(),
      w: () => presets[next % presets.length].click(),
      x: () => byId('crosshair').click(),
    }[key];
    if (doing) doing();
    const number = Number(key) - 1;
    const chosen = Number.isInteger(number) && maps[number];
    if (chosen) showMap(chosen);
    return Boolean(doing || chosen);
  }

  function choosePlane(name) {
    state.active = name;
    if (state.shown === 'planes') redraw();
    else show(name);
  }

  // ---- who is listened to

  function listen() {
    const on = (id, event, does) => byId(id).addEventListener(event, does);
    stage.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (act(key, event.shiftKey)) event.preventDefault();
    });
    listenToPointers(stage, {
      tileAt: (x, y) => tileAt(tiles, x, y),
      activate: (name) => { state.active = name; redraw(); },
      point: (tile, x, y) => {
        const view = { centre: seen(state.view.centre, state.view.zoom), zoom: state.view.zoom };
        const [right, low] = [tile.x + tile.w - 1e-6, tile.y + tile.h - 1e-6];
        const [u, v] = [Math.min(Math.max(x, tile.x), right), Math.min(Math.max(y, tile.y), low)];
        moveTo(voxelOf(partsAt(tile, u, v, partsOf(state.voxel, shape), view), shape));
      },
      zoomBy: (factor) => setZoom(state.view.zoom * factor),
      pan, step, turnWindow,
    });
    for (const { key } of about.maps) on(`map-${key}`, 'change', () => showMap(key));
    for (const { key } of about.masks) {
      on(`mask-${key}`, 'change', (event) => showMask(key, event.target.checked));
    }
    for (const [name, { through }] of Object.entries(PLANES)) {
      byId(`slice-${name}`).max = shape[through] - 1;
      on(`slice-${name}`, 'input', (event) => {
        state.active = name;
        step(through, Number(event.target.value) - state.voxel[through]);
      });
    }
    for (const id of ['low', 'high']) {
      on(id, 'change', () => setWindow(Number(byId('low').value), Number(byId('high').value)));
    }
    for (const button of document.querySelectorAll('[data-show]')) {
      button.addEventListener('click', () => show(button.dataset.show));
    }
    for (const button of document.querySelectorAll('[data-region]')) {
      button.addEventListener('click', () => moveTo(about.regions.middles[button.dataset.region]));
    }
    for (const input of document.querySelectorAll('[data-redraw]')) {
      input.addEventListener('input', redraw);
    }
    on('overlays-on', 'change', (event) => { state.overlaysOn = event.target.checked; redraw(); });
    on('crosshair', 'change', (event) => { state.crosshair = event.target.checked; redraw(); });
    on('smooth', 'change', (event) => { state.smooth = event.target.checked; redraw(); });
    on('closer', 'click', () => setZoom(state.view.zoom * 1.25));
    on('farther', 'click', () => setZoom(state.view.zoom / 1.25));
    on('again', 'click', startAgain);
    new ResizeObserver(resize).observe(stage);
  }

  // ---- who draws

  function drawPlainly() {
    // a canvas that once had WebGL gives no other context
    const fresh = document.createElement('canvas');
    fresh.id = 'maps';
    byId('maps').replaceWith(fresh);
    renderer = plainRenderer(fresh);
    byId('drawn').hidden = false;
    document.documentElement.dataset.renderer = renderer.name;
    resize();
  }

  async function chooseRenderer() {
    try {
      if (!hasWebGL2(shape)) throw new Error('no WebGL 2');
      renderer = await niivueRenderer(byId('maps'), drawPlainly);
      document.documentElement.dataset.renderer = renderer.name;
    } catch {
      drawPlainly();
    }
  }

  byId('viewer').hidden = false;
  listen();
  await working(async () => {
    await chooseRenderer();
    resize();
    await showMap(about.maps[0].key);
    if (about.regions) state.regions = await store(about.regions);
  });
}

if ('DecompressionStream' in window) startViewer();
else byId('old').hidden = false;
