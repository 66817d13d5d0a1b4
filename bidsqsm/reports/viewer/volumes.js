'use strict';
// NIfTI volumes that lie in the page as compressed base64, unpacked when they are first asked for.

const OUTSIDE = -32768; // stored in place of a value outside the mask
const TYPES = { 2: Uint8Array, 4: Int16Array, 512: Uint16Array };

async function unpack(id) {
  const element = document.getElementById(id);
  const binary = atob(element.textContent);
  const packed = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) packed[i] = binary.charCodeAt(i);
  element.remove(); // the text would stay in memory beside the voxels
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
}

function readVolume(buffer, about) {
  const header = new DataView(buffer);
  const shape = [42, 44, 46].map((at) => header.getInt16(at, true));
  const start = header.getFloat32(108, true);
  const length = shape[0] * shape[1] * shape[2];
  return {
    about,
    buffer,
    shape,
    step: header.getFloat32(112, true),
    // a copy of its own: the start need not be a multiple of the size of a voxel
    voxels: new TYPES[header.getInt16(70, true)](buffer.slice(start), 0, length),
  };
}

function makeStore() {
  const asked = new Map();
  return (about) => {
    if (!asked.has(about.key)) {
      asked.set(about.key, unpack(`volume-${about.key}`).then((b) => readVolume(b, about)));
    }
    return asked.get(about.key);
  };
}

function stored(volume, [i, j, k]) {
  const [nx, ny] = volume.shape;
  return volume.voxels[i + nx * (j + ny * k)];
}

// what people read: the value with its unit
function spokenValue(volume, voxel) {
  const raw = stored(volume, voxel);
  if (raw === OUTSIDE) return 'outside the mask';
  const { unit, digits } = volume.about;
  const value = raw * volume.step;
  const text = unit ? value.toFixed(digits) : String(Number(value.toPrecision(digits)));
  return `${text.replace('-', '\u2212')}${unit ? ` ${unit}` : ''}`;
}
