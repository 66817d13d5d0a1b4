// What is shown and where: maps, masks, window, crosshair, zoom. Whatever changes asks to be drawn.

const MOST_ZOOM = 12;

function makeView(about, redraw) {
  const { shape } = about;
  const state = {
    shape, map: null, window: [0, 1], voxel: [...about.start], shown: 'planes', active: 'axial',
    view: { centre: [0.5, 0.5, 0.5], zoom: 1 }, smooth: true, crosshair: true, overlaysOn: true,
    masks: new Map(), regions: null,
  };
  const visible = () => ({
    zoom: state.view.zoom, centre: seen(state.view.centre, state.view.zoom),
  });

  function set(values) {
    Object.assign(state, values);
    redraw();
  }

  function moveTo(voxel) {
    const at = voxel.map((own, axis) => bounded(own, shape[axis]));
    const { centre, zoom } = visible();
    const parts = partsOf(at, shape);
    // a crosshair that leaves the view takes it along
    const follow = centre.map((part, axis) => (
      Math.abs(parts[axis] - part) > 0.5 / zoom ? parts[axis] : part));
    set({ voxel: at, view: { zoom, centre: follow } });
  }

  function step(axis, count) {
    moveTo(state.voxel.map((at, own) => (own === axis ? at + count : at)));
  }

  function zoomTo(wanted) {
    const before = visible();
    const zoom = Math.min(Math.max(wanted, 1), MOST_ZOOM);
    // the crosshair keeps its place on the stage
    const centre = partsOf(state.voxel, shape).map((part, axis) => (
      part - ((part - before.centre[axis]) * before.zoom) / zoom));
    set({ view: { zoom, centre } });
  }

  function pan(tile, right, down) {
    const { centre, zoom } = visible();
    centre[tile.across] += right / tile.w / zoom;
    centre[tile.up] += down / tile.h / zoom;
    set({ view: { zoom, centre } });
  }

  function point(tile, x, y) {
    // a drag that leaves the plane stays at its edge
    const u = Math.min(Math.max(x, tile.x), tile.x + tile.w - 1e-6);
    const v = Math.min(Math.max(y, tile.y), tile.y + tile.h - 1e-6);
    moveTo(voxelOf(partsAt(tile, u, v, partsOf(state.voxel, shape), visible()), shape));
  }

  function startAgain() {
    set({ view: { centre: [0.5, 0.5, 0.5], zoom: 1 }, voxel: [...about.start] });
  }

  return { state, visible, set, moveTo, step, zoomTo, pan, point, startAgain };
}
