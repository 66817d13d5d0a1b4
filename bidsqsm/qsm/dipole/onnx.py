"""Inversion by a learned network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Readable
from bidsqsm.qsm.frame import Frame, upright
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.network.session import Network, network_files


def onnx(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    model: Annotated[Path, Readable('an ONNX network', network_files)],
) -> Volume:
    r"""Inversion by a learned network in ONNX format.

    A network that was trained elsewhere maps the local field to susceptibility [jung2022]_. A JSON
    file beside it, of the same name, tells how: its voxel size, whether the main field must lie
    along its third axis, patches or whole volume, the scaling of field and susceptibility. The
    field is spread beyond the mask, interpolated by cubic splines onto the network's grid, masked,
    given to the network in blended patches, and the map brought back. On a tilted
    or differently sampled acquisition the map is therefore smoothed a little.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    model
        The network; ``NAME.onnx`` is described by ``NAME.json``.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [jung2022] Jung et al., NMR Biomed 35:e4292 (2022). doi:10.1002/nbm.4292

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from onnx import TensorProto, helper, save_model
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> node = helper.make_node('Add', ['field', 'field'], ['chi'])
    >>> volumes = [
    ...     helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, None, None, None])
    ...     for name in ('field', 'chi')
    ... ]
    >>> graph = helper.make_graph([node], 'twice', volumes[:1], volumes[1:])
    >>> opset = helper.make_opsetid('', 17)
    >>> sphere = make_sphere(chi=0.5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'twice.onnx'
    ...     save_model(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    ...     _ = path.with_suffix('.json').write_text('{}')
    ...     chi = onnx(sphere.local_field, sphere.mask, sphere.grid, model=path)
    >>> bool(abs(chi - 2 * sphere.local_field).max() < 1e-6)
    True

    """
    network = Network.read(Path(model))
    turn = upright(grid.b0_direction) if network.about.b0_along_z else np.eye(3)
    frame = Frame.around(mask, grid, network.about.voxel_size, turn)
    inner, inside = frame.there(field)
    if not np.isfinite(inner).all():
        raise ValueError(
            'found NaN or infinite values inside the mask: leave those voxels out of the mask'
        )
    chi = network(inner, inside)
    if not np.isfinite(chi[inside]).all():
        raise ValueError(
            f'{model} made NaN or infinite values: check the scaling in the JSON beside it'
        )
    return frame.back(chi, inside)
