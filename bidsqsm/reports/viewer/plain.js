// Maps drawn without WebGL, one plane after another.

function plainRenderer(canvas) {
  const context = canvas.getContext('2d');

  function picture({ flat, width, height }, step, [low, high]) {
    const image = new ImageData(width, height);
    const gray = new Uint32Array(image.data.buffer);
    const scale = 255 / Math.max(high - low, 1e-12);
    for (let at = 0; at < flat.length; at++) {
      const level = Math.min(Math.max(Math.round((flat[at] * step - low) * scale), 0), 255);
      gray[at] = 0xff000000 | (level << 16) | (level << 8) | level;
    }
    const drawn = new OffscreenCanvas(width, height);
    drawn.getContext('2d').putImageData(image, 0, 0);
    return drawn;
  }

  return {
    name: 'plain',
    draw({ map, window: limits, tiles, voxel, view, smooth, ratio }) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = '#000';
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      for (const tile of tiles) {
        const slice = sliceOf(map, tile, voxel[tile.through]);
        drawPlane(context, picture(slice, map.step, limits), tile, view, smooth);
      }
    },
  };
}
