// Maps drawn by NiiVue, where the browser has WebGL 2.

// Where the processor stands in for a graphics card, plain drawing is many times faster; #webgl at
// the end of the address asks for NiiVue all the same
const EMULATED = /swiftshader|llvmpipe|softpipe|software|basic render/i;

function hasWebGL2(shape) {
  const context = document.createElement('canvas').getContext('webgl2');
  if (!context) return false;
  const fits = Math.max(...shape) <= context.getParameter(context.MAX_3D_TEXTURE_SIZE);
  const known = context.getExtension('WEBGL_debug_renderer_info');
  const card = context.getParameter(known ? known.UNMASKED_RENDERER_WEBGL : context.RENDERER);
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return fits && (location.hash === '#webgl' || !EMULATED.test(card));
}

// NiiVue lies packed in the page; the policy of the page allows this very text to run
async function loadNiivue() {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await unpack('niivue'));
  const script = document.createElement('script');
  script.textContent = text;
  document.head.append(script);
  return window.niivue;
}

const SLICES = { axial: 0, coronal: 1, sagittal: 2 }; // NiiVue's numbers

async function niivueRenderer(canvas, lost) {
  const { Niivue, NVImage } = await loadNiivue();
  // crosshair, letters, keys and pointer are the page's own, the same with and without WebGL
  const nv = new Niivue({
    backColor: [0, 0, 0, 1],
    crosshairWidth: 0,
    dragAndDropEnabled: false,
    interactive: false,
    isOrientationTextVisible: false,
    isRadiologicalConvention: true,
    isResizeCanvas: false,
    loadingText: '',
    logLevel: 'silent',
    sagittalNoseLeft: true,
  });
  await nv.attachToCanvas(canvas, false);
  canvas.addEventListener('webglcontextlost', lost);
  const images = new Map();
  let shown = '';
  let placed = '';

  async function prepare(map, [low, high]) {
    const { key } = map.about;
    if (images.has(key)) return;
    const name = `${key}.nii`;
    images.set(key, await NVImage.new(map.buffer, name, 'gray', 1, null, low, high, true));
  }

  function show(map, [low, high], smooth) {
    const image = images.get(map.about.key);
    const wanted = [map.about.key, low, high, smooth].join();
    if (wanted === shown) return;
    shown = wanted;
    [image.cal_min, image.cal_max] = [low, high];
    nv.opts.isNearestInterpolation = !smooth;
    nv.volumes = [image];
    nv.setVolume(image, 0);
  }

  function place(tiles, ratio) {
    const [width, height] = [canvas.width / ratio, canvas.height / ratio];
    const layout = tiles.map(({ name, x, y, w, h }) => ({
      sliceType: SLICES[name],
      position: [x / width, y / height, w / width, h / height],
    }));
    const wanted = JSON.stringify([layout, canvas.width, canvas.height]);
    if (wanted === placed) return;
    placed = wanted;
    nv.setCustomLayout(layout);
  }

  return {
    name: 'niivue',
    prepare,
    draw({ map, window: limits, tiles, voxel, shape, view, smooth, ratio }) {
      show(map, limits, smooth);
      place(tiles, ratio);
      const { extentsMinOrtho: low, extentsMaxOrtho: high } = nv.volumes[0];
      const pan = view.centre.map((part, axis) => {
        const middle = (low[axis] + high[axis]) / 2;
        return middle - (low[axis] + part * (high[axis] - low[axis])) * view.zoom;
      });
      nv.scene.crosshairPos = partsOf(voxel, shape);
      nv.scene.pan2Dxyzmm = [...pan, view.zoom];
      nv.drawScene();
    },
  };
}
