// Planes, their places on the stage, and the way between a point of it and a voxel.
// Axes run to the right, front and top; pictures show the right side of the body at the left and,
// in sagittal planes, the front at the left. So every picture runs against both of its axes.

const PLANES = {
  sagittal: { through: 0, across: 1, up: 2, sides: ['A', 'P', 'S', 'I'] },
  coronal: { through: 1, across: 0, up: 2, sides: ['R', 'L', 'S', 'I'] },
  axial: { through: 2, across: 0, up: 1, sides: ['R', 'L', 'A', 'P'] },
};
const GAP = 4; // pixels between planes

// One way to put planes on a stage: rows of planes; the scale in pixels per mm
function arranged(rows, length, width, height) {
  const wide = (row) => row.reduce((sum, name) => sum + length[PLANES[name].across], 0);
  const tall = (row) => Math.max(...row.map((name) => length[PLANES[name].up]));
  const most = Math.max(...rows.map((row) => row.length));
  const scale = Math.min(
    ...rows.map((row) => (width - GAP * (most - 1)) / wide(row)),
    (height - GAP * (rows.length - 1)) / rows.reduce((sum, row) => sum + tall(row), 0),
  );
  return { rows, scale, wide, tall };
}

// Where each plane lies, in pixels of the stage, at the largest scale at which all fit
function layOut(shown, length, width, height) {
  const ways = shown === 'planes'
    ? [[['sagittal', 'coronal', 'axial']], [['coronal', 'sagittal'], ['axial']],
      [['axial'], ['coronal'], ['sagittal']]]
    : [[[shown]]];
  const best = ways
    .map((rows) => arranged(rows, length, width, height))
    .reduce((a, b) => (b.scale > a.scale ? b : a));
  const { rows, scale, wide, tall } = best;
  const all = scale * rows.reduce((sum, row) => sum + tall(row), 0) + GAP * (rows.length - 1);
  const widest = Math.max(...rows.map((row) => scale * wide(row) + GAP * (row.length - 1)));
  const tiles = [];
  let top = (height - all) / 2;
  for (const row of rows) {
    let left = (width - widest) / 2;
    for (const name of row) {
      const w = scale * length[PLANES[name].across];
      const h = scale * length[PLANES[name].up];
      const y = top + (scale * tall(row) - h) / 2;
      tiles.push({ name, ...PLANES[name], x: left, y, w, h });
      left += w + GAP;
    }
    top += scale * tall(row) + GAP;
  }
  return tiles;
}

// Parts of the whole along each axis that are seen at a zoom, around a centre that keeps within
function seen(centre, zoom) {
  const half = 0.5 / zoom;
  return centre.map((part) => Math.min(Math.max(part, half), 1 - half));
}

function pointOf(tile, parts, view) {
  return [
    tile.x + tile.w * (0.5 - (parts[tile.across] - view.centre[tile.across]) * view.zoom),
    tile.y + tile.h * (0.5 - (parts[tile.up] - view.centre[tile.up]) * view.zoom),
  ];
}

// The parts along the axes of a point of the stage; the third is kept
function partsAt(tile, x, y, parts, view) {
  const found = [...parts];
  found[tile.across] = view.centre[tile.across] + (0.5 - (x - tile.x) / tile.w) / view.zoom;
  found[tile.up] = view.centre[tile.up] + (0.5 - (y - tile.y) / tile.h) / view.zoom;
  return found;
}

const partsOf = (voxel, shape) => voxel.map((at, axis) => (at + 0.5) / shape[axis]);
const voxelOf = (parts, shape) => parts.map(
  (part, axis) => bounded(Math.floor(part * shape[axis]), shape[axis]),
);
const bounded = (at, count) => Math.min(Math.max(at, 0), count - 1);
const tileAt = (tiles, x, y) => tiles.find(
  (t) => x >= t.x && x < t.x + t.w && y >= t.y && y < t.y + t.h,
);

// A plane of a volume as it is seen: the first voxel is at the top left
function sliceOf(volume, plane, index) {
  const { shape, voxels } = volume;
  const strides = [1, shape[0], shape[0] * shape[1]];
  const [width, height] = [shape[plane.across], shape[plane.up]];
  const flat = new voxels.constructor(width * height);
  const first = index * strides[plane.through];
  for (let row = 0, at = 0; row < height; row++) {
    let from = first + (height - 1 - row) * strides[plane.up] + (width - 1) * strides[plane.across];
    for (let column = 0; column < width; column++, at++, from -= strides[plane.across]) {
      flat[at] = voxels[from];
    }
  }
  return { flat, width, height };
}

// Draw a picture with one pixel for each voxel of a plane where the plane lies
function drawPlane(context, picture, tile, view, smooth) {
  const { width, height } = picture;
  const left = (1 - view.centre[tile.across] - 0.5 / view.zoom) * width;
  const top = (1 - view.centre[tile.up] - 0.5 / view.zoom) * height;
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = 'high';
  context.drawImage(
    picture, left, top, width / view.zoom, height / view.zoom, tile.x, tile.y, tile.w, tile.h,
  );
}
