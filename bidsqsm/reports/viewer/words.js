// What the page tells of the crosshair.

const byId = (id) => document.getElementById(id);
const SIDES = [['R', 'L'], ['A', 'P'], ['S', 'I']];

const mapped = (matrix, [x, y, z]) => matrix.map(([a, b, c, d]) => a * x + b * y + c * z + d);

function tell(about, { map, masks, regions, voxel, shape, view }) {
  const write = (id, text) => { byId(id).textContent = text; };
  const label = regions ? stored(regions, voxel) : 0;
  const inside = [...masks.values()].filter((mask) => stored(mask, voxel));
  write('quantity', map.about.title);
  write('value', spokenValue(map, voxel));
  write('region', label ? regions.about.names[label - 1] : 'no region');
  write('inside', inside.map((mask) => mask.about.title).join(', ') || '\u2013');
  write('place', mapped(about.affine, voxel)
    .map((mm, axis) => `${SIDES[axis][mm < 0 ? 1 : 0]} ${Math.abs(mm).toFixed(1)}`).join(', '));
  write('voxel', mapped(about.stored, voxel).join(', '));
  write('zoom', `${Math.round(100 * view.zoom)} %`);
  for (const [name, { through }] of Object.entries(PLANES)) {
    const slider = byId(`slice-${name}`);
    const [at, count] = [voxel[through] + 1, shape[through]];
    slider.value = voxel[through];
    slider.setAttribute('aria-valuetext', `slice ${at} of ${count}`);
    write(`number-${name}`, `${at} / ${count}`);
  }
}
