// Keys, while the pictures have the focus.

const LEAP = 5; // voxels of a step with the shift key

function listenToKeys(stage, view, act) {
  const { state } = view;
  const planeNow = () => PLANES[state.active];
  const does = {
    // the pictures run against their axes: a step to the left is one up
    ArrowLeft: (count) => view.step(planeNow().across, count),
    ArrowRight: (count) => view.step(planeNow().across, -count),
    ArrowUp: (count) => view.step(planeNow().up, count),
    ArrowDown: (count) => view.step(planeNow().up, -count),
    PageUp: (count) => view.step(planeNow().through, count),
    PageDown: (count) => view.step(planeNow().through, -count),
    Home: view.startAgain,
    '+': () => view.zoomTo(state.view.zoom * 1.25),
    '=': () => view.zoomTo(state.view.zoom * 1.25),
    '-': () => view.zoomTo(state.view.zoom / 1.25),
    0: () => view.zoomTo(1),
    a: () => act.choosePlane('axial'),
    c: () => act.choosePlane('coronal'),
    s: () => act.choosePlane('sagittal'),
    m: () => act.show(state.shown === 'planes' ? state.active : 'planes'),
    w: act.nextWindow,
    o: () => byId('overlays-on').click(),
    x: () => byId('crosshair').click(),
  };

  stage.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (does[key]) does[key](event.shiftKey ? LEAP : 1);
    else if (!act.chooseMap(Number(key) - 1)) return;
    event.preventDefault();
  });
}
