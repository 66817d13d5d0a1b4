// What lies over the maps: fills and outlines of masks and regions, crosshair, letters.
// It is drawn on a canvas of its own, so that it is the same whatever draws the maps.

const LETTER = '600 13px system-ui, sans-serif';

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

function fillPicture({ flat, width, height }, colours) {
  const picture = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  const table = colours.map(channels);
  for (let at = 0; at < flat.length; at++) {
    if (!flat[at]) continue;
    image.data.set(table[flat[at] - 1], 4 * at);
    image.data[4 * at + 3] = 255;
  }
  picture.getContext('2d').putImageData(image, 0, 0);
  return picture;
}

// Between which sides of a square the outline runs, by which of its corners are inside
// (1 top left, 2 top right, 4 bottom right, 8 bottom left)
const RUNS = {
  1: ['lt'], 2: ['tr'], 3: ['lr'], 4: ['rb'], 5: ['lt', 'rb'], 6: ['tb'], 7: ['lb'],
  8: ['lb'], 9: ['tb'], 10: ['tr', 'lb'], 11: ['rb'], 12: ['lr'], 13: ['tr'], 14: ['lt'],
};
const MIDDLES = { t: [0, -0.5], b: [0, 0.5], l: [-0.5, 0], r: [0.5, 0] };

// Lines half way between voxels inside and outside, a path for each label
function outlinePaths({ flat, width, height }, toPoint) {
  const paths = new Map();
  const at = (u, v) => (u < 0 || v < 0 || u >= width || v >= height ? 0 : flat[u + width * v]);
  for (let v = 0; v <= height; v++) {
    for (let u = 0; u <= width; u++) {
      const corners = [at(u - 1, v - 1), at(u, v - 1), at(u, v), at(u - 1, v)];
      const [a, b, c, d] = corners;
      if (a === b && b === c && c === d) continue;
      for (const label of new Set(corners)) {
        if (!label) continue;
        const inside = corners.reduce((bits, own, n) => bits + (own === label) * 2 ** n, 0);
        if (!paths.has(label)) paths.set(label, new Path2D());
        for (const [one, other] of RUNS[inside]) {
          paths.get(label).moveTo(...toPoint(u + MIDDLES[one][0], v + MIDDLES[one][1]));
          paths.get(label).lineTo(...toPoint(u + MIDDLES[other][0], v + MIDDLES[other][1]));
        }
      }
    }
  }
  return paths;
}

function drawOverlay(context, tile, overlay, index, view) {
  const slice = sliceOf(overlay.volume, tile, index);
  const { colours } = overlay.volume.about;
  if (overlay.fill > 0) {
    context.globalAlpha = overlay.fill;
    drawPlane(context, fillPicture(slice, colours), tile, view, false);
    context.globalAlpha = 1;
  }
  if (!overlay.outlines) return;
  const toPoint = (u, v) => [
    tile.x + tile.w * (0.5 + (u / slice.width - 1 + view.centre[tile.across]) * view.zoom),
    tile.y + tile.h * (0.5 + (v / slice.height - 1 + view.centre[tile.up]) * view.zoom),
  ];
  context.lineWidth = 1.5;
  for (const [label, path] of outlinePaths(slice, toPoint)) {
    context.strokeStyle = colours[label - 1];
    context.stroke(path);
  }
}

function drawCrosshair(context, tile, parts, view) {
  const [x, y] = pointOf(tile, parts, view);
  const gap = 9;
  context.strokeStyle = 'rgba(92, 198, 208, .75)';
  context.lineWidth = 1;
  context.beginPath();
  for (const [from, to] of [[tile.x, x - gap], [x + gap, tile.x + tile.w]]) {
    context.moveTo(from, y);
    context.lineTo(to, y);
  }
  for (const [from, to] of [[tile.y, y - gap], [y + gap, tile.y + tile.h]]) {
    context.moveTo(x, from);
    context.lineTo(x, to);
  }
  context.stroke();
}

function drawLetters(context, tile) {
  const [left, right, top, bottom] = tile.sides;
  const middle = [tile.x + tile.w / 2, tile.y + tile.h / 2];
  context.font = LETTER;
  context.lineWidth = 3;
  context.strokeStyle = '#000';
  context.fillStyle = '#e4e8ee';
  for (const [letter, x, y, h, v] of [
    [left, tile.x + 5, middle[1], 'left', 'middle'],
    [right, tile.x + tile.w - 5, middle[1], 'right', 'middle'],
    [top, middle[0], tile.y + 5, 'center', 'top'],
    [bottom, middle[0], tile.y + tile.h - 5, 'center', 'bottom'],
  ]) {
    context.textAlign = h;
    context.textBaseline = v;
    context.strokeText(letter, x, y);
    context.fillText(letter, x, y);
  }
}

function drawOver(context, scene) {
  const { tiles, voxel, shape, view, overlays, active, crosshair } = scene;
  const parts = partsOf(voxel, shape);
  for (const tile of tiles) {
    context.save();
    context.beginPath();
    context.rect(tile.x, tile.y, tile.w, tile.h);
    context.clip();
    for (const overlay of overlays) drawOverlay(context, tile, overlay, voxel[tile.through], view);
    if (crosshair) drawCrosshair(context, tile, parts, view);
    drawLetters(context, tile);
    context.restore();
    context.lineWidth = 1;
    context.strokeStyle = tile.name === active && tiles.length > 1 ? '#5cc6d0' : '#2c3440';
    context.strokeRect(tile.x + 0.5, tile.y + 0.5, tile.w - 1, tile.h - 1);
  }
}
