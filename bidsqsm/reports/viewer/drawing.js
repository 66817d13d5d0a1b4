// The stage: two canvases, below the maps and above what lies over them.

function makeStage(stage, about, overlaysOf) {
  const length = about.shape.map((count, axis) => count * about.voxelSize[axis]);
  const over = byId('over').getContext('2d');
  const own = { renderer: null, view: null, tiles: [], ratio: 1 };
  let wanted = false;
  let busy = 0;

  function draw() {
    wanted = false;
    const { state } = own.view;
    if (!own.renderer || !state.map || !own.tiles.length) return;
    const scene = {
      ...state,
      view: own.view.visible(),
      tiles: own.tiles,
      ratio: own.ratio,
      overlays: overlaysOf(state),
    };
    own.renderer.draw(scene);
    over.setTransform(own.ratio, 0, 0, own.ratio, 0, 0);
    over.clearRect(0, 0, stage.clientWidth, stage.clientHeight);
    drawOver(over, scene);
    tell(about, state);
    stage.setAttribute('aria-busy', String(busy > 0));
  }

  function redraw() {
    stage.setAttribute('aria-busy', 'true');
    if (!wanted) requestAnimationFrame(draw);
    wanted = true;
  }

  function arrange() {
    own.tiles = layOut(own.view.state.shown, length, stage.clientWidth, stage.clientHeight);
    redraw();
  }

  function resize() {
    own.ratio = window.devicePixelRatio || 1;
    for (const canvas of stage.querySelectorAll('canvas')) {
      canvas.width = Math.round(stage.clientWidth * own.ratio);
      canvas.height = Math.round(stage.clientHeight * own.ratio);
    }
    arrange();
  }

  async function working(task) {
    busy += 1;
    stage.setAttribute('aria-busy', 'true');
    try {
      await task();
    } finally {
      busy -= 1;
      redraw();
    }
  }

  function drawPlainly() {
    // a canvas that once had WebGL gives no other context
    const fresh = document.createElement('canvas');
    fresh.id = 'maps';
    byId('maps').replaceWith(fresh);
    own.renderer = plainRenderer(fresh);
    byId('drawn').hidden = false;
    resize();
    document.documentElement.dataset.renderer = own.renderer.name;
  }

  async function chooseRenderer() {
    try {
      if (!hasWebGL2(about.shape)) throw new Error('no WebGL 2');
      own.renderer = await niivueRenderer(byId('maps'), drawPlainly);
      document.documentElement.dataset.renderer = own.renderer.name;
    } catch {
      drawPlainly();
    }
  }

  return Object.assign(own, { redraw, arrange, resize, working, chooseRenderer });
}
