// Mouse, pen and fingers on the stage. One finger or the left button moves the crosshair, two
// fingers or the middle button move and zoom, the right button changes brightness and contrast.

const NOTCH = 40; // pixels of a wheel or touch pad that are worth one slice

function listenToPointers(stage, act) {
  const down = new Map();
  let drag = null;
  let pinch = null;
  let turned = 0;

  const placeOf = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function pinchOf() {
    const [[x, y], [u, v]] = [...down.values()];
    return { apart: Math.max(Math.hypot(x - u, y - v), 1), x: (x + u) / 2, y: (y + v) / 2 };
  }

  function kindOf(event) {
    if (event.button === 2 || event.shiftKey) return 'window';
    return event.button === 1 || event.ctrlKey || event.altKey ? 'pan' : 'point';
  }

  stage.addEventListener('pointerdown', (event) => {
    const [x, y] = placeOf(event);
    const tile = act.tileAt(x, y);
    if (!tile) return;
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, [x, y]);
    if (down.size === 2) {
      pinch = pinchOf();
      drag = drag && { ...drag, kind: 'pinch' };
      return;
    }
    drag = { kind: kindOf(event), tile, x, y };
    act.activate(tile.name);
    if (drag.kind === 'point') act.point(tile, x, y);
  });

  stage.addEventListener('pointermove', (event) => {
    if (!drag || !down.has(event.pointerId)) return;
    const [x, y] = placeOf(event);
    down.set(event.pointerId, [x, y]);
    if (drag.kind === 'pinch') {
      if (down.size < 2) return;
      const now = pinchOf();
      act.zoomBy(now.apart / pinch.apart);
      act.pan(drag.tile, now.x - pinch.x, now.y - pinch.y);
      pinch = now;
      return;
    }
    if (drag.kind === 'point') act.point(drag.tile, x, y);
    if (drag.kind === 'pan') act.pan(drag.tile, x - drag.x, y - drag.y);
    if (drag.kind === 'window') act.turnWindow(x - drag.x, y - drag.y);
    [drag.x, drag.y] = [x, y];
  });

  const release = (event) => {
    down.delete(event.pointerId);
    if (!down.size) drag = null;
  };
  stage.addEventListener('pointerup', release);
  stage.addEventListener('pointercancel', release);
  stage.addEventListener('contextmenu', (event) => event.preventDefault());

  stage.addEventListener('wheel', (event) => {
    const tile = act.tileAt(...placeOf(event));
    if (!tile) return;
    event.preventDefault();
    if (event.ctrlKey) {
      act.zoomBy(Math.exp(-event.deltaY / 200));
      return;
    }
    const size = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : NOTCH;
    turned += event.deltaY * size;
    const slices = Math.trunc(turned / NOTCH);
    turned -= slices * NOTCH;
    if (slices) act.step(tile.through, -slices);
  }, { passive: false });
}
