"""An ONNX network opened, checked against its description, and run on volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.network.description import Description, Shape
from bidsqsm.qsm.network.patches import Tiling, in_patches

_TYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(double)': np.float64}


def network_files(path: Path) -> tuple[Path, ...]:
    """Open a network to see that it can be used; returns the files that it is made of."""
    Network.read(path)
    parts = (path, path.with_suffix('.json'), path.with_name(f'{path.name}.data'))
    return tuple(part for part in parts if part.is_file())


@dataclass(frozen=True)
class Network:
    """A network that is ready to run; ``read`` makes it.

    Parameters
    ----------
    session
        Of onnxruntime; one thread, so that a result does not depend on their number.
    about
        The description, with the names and the patch that the network itself settles.

    """

    session: Any
    about: Description

    @classmethod
    def read(cls, path: Path) -> Network:
        """Open a network and the JSON beside it; ValueError says what does not fit."""
        if not path.is_file():
            raise ValueError(f'{path}: no such file, expected a network in ONNX format')
        about = Description.read(path.with_suffix('.json'))
        session = _open(path)
        names = {item.name: item for item in session.get_inputs()}
        outputs = {item.name: item for item in session.get_outputs()}
        about = replace(
            about,
            input=about.input or next(iter(names)),
            output=about.output or next(iter(outputs)),
        )
        _check_names(path, about, list(names), list(outputs))
        sizes = _sizes(path, about, names[about.input])
        if about.mask_input:
            _sizes(path, about, names[about.mask_input])
        _check_output(path, about, sizes or about.patch, outputs[about.output])
        return cls(session, replace(about, patch=sizes or about.patch))

    def __call__(self, field: Volume, mask: Mask) -> Volume:
        """Susceptibility (ppm) from a local field (ppm) on the network's own grid."""
        about = self.about
        patch = about.patch or _padded(field.shape, 2 * about.margin, about.multiple)
        tiling = Tiling(patch, about.overlap, about.margin)
        return in_patches(field, mask, tiling, self._patch)

    def _patch(self, field: Volume, mask: Mask) -> Volume:
        about = self.about
        scaled = np.float32(about.input_scale) * field + np.float32(about.input_offset)
        if about.wrap:
            scaled = np.angle(np.exp(1j * scaled))
        # what lies outside is not known, and networks are trained with zeros there
        feed = {about.input: np.where(mask, scaled, 0)}
        if about.mask_input:
            feed[about.mask_input] = mask
        feed = {name: to_tensor(array, about.layout) for name, array in feed.items()}
        feed |= {name: np.asarray(value) for name, value in about.constants.items()}
        types = {item.name: _TYPES[item.type] for item in self.session.get_inputs()}
        cast = {name: np.asarray(array, dtype=types[name]) for name, array in feed.items()}
        (answer,) = self.session.run([about.output], cast)
        chi = from_tensor(answer, about.layout)
        if chi.shape == field.shape and about.margin:
            chi = chi[(slice(about.margin, -about.margin),) * 3]
        wanted = tuple(n - 2 * about.margin for n in field.shape)
        if chi.shape != wanted:
            raise ValueError(
                f'the network made {chi.shape} of a patch of {field.shape}, expected {wanted}: '
                'correct patch, margin or multiple in the JSON beside it'
            )
        return np.float32(about.output_scale) * chi + np.float32(about.output_offset)


def to_tensor(volume: Volume | Mask, layout: str) -> Any:
    """Bring a volume to the axes of a layout, with axes of one for N and C."""
    axes = volume.transpose([('XYZ').index(a) for a in layout if a in 'XYZ'])
    return np.expand_dims(axes, [i for i, a in enumerate(layout) if a in 'NC'])


def from_tensor(tensor: Any, layout: str) -> Volume:
    """Bring a tensor of one batch and one channel to the axes x, y, z, in float32."""
    extra = tuple(i for i, a in enumerate(layout) if a in 'NC')
    if tensor.ndim != len(layout) or any(tensor.shape[i] != 1 for i in extra):
        raise ValueError(
            f'the network made a tensor of shape {tensor.shape}, expected the axes {layout} '
            'with one batch and one channel'
        )
    spatial = [a for a in layout if a in 'XYZ']
    axes = np.squeeze(tensor, extra).transpose([spatial.index(a) for a in 'XYZ'])
    return np.ascontiguousarray(axes, dtype=np.float32)


def _open(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(
            'networks need onnxruntime, which is not installed: pip install "bidsqsm[dl]"'
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    except Exception as error:  # its exceptions have no common base
        reason = ' '.join(str(error).split())
        raise ValueError(f'{path} cannot be opened as an ONNX network: {reason}') from error


def _check_names(path: Path, about: Description, inputs: list[str], outputs: list[str]) -> None:
    fed = [about.input, *([about.mask_input] if about.mask_input else []), *about.constants]
    for name, known in [*((n, inputs) for n in fed), (about.output, outputs)]:
        if name not in known:
            raise ValueError(f'{path} has no tensor {name!r}; there are: {", ".join(known)}')
    if left := [name for name in inputs if name not in fed]:
        raise ValueError(
            f'{path} has the input {left[0]!r}, expected every input to be the field, the mask or '
            'a constant: name it as mask_input or in constants of the JSON beside it'
        )


def _sizes(path: Path, about: Description, tensor: Any) -> Shape | None:
    """Spatial size that an input is fixed to, checked against the description; None if free."""
    if tensor.type not in _TYPES:
        raise ValueError(
            f'{path}: input {tensor.name!r} is {tensor.type}, expected one of {", ".join(_TYPES)}'
        )
    fixed = _fixed(path, about, tensor)
    if any(fixed.get(a, 1) != 1 for a in 'NC'):
        raise ValueError(
            f'{path}: input {tensor.name!r} has shape {tensor.shape}, expected one batch and one '
            f'channel on the axes {about.layout}: correct the layout or export the network anew'
        )
    if not set(fixed) & set('XYZ'):
        return None
    free = about.patch or (0, 0, 0)
    nx, ny, nz = (fixed.get(axis, n) for axis, n in zip('XYZ', free, strict=True))
    if (about.patch or (nx, ny, nz)) != (nx, ny, nz) or 0 in (nx, ny, nz):
        raise ValueError(
            f'{path}: input {tensor.name!r} has shape {tensor.shape} on the axes {about.layout}, '
            f'expected it to take the patch {about.patch}: correct patch or layout in the JSON'
        )
    return nx, ny, nz


def _check_output(path: Path, about: Description, patch: Shape | None, tensor: Any) -> None:
    fixed = _fixed(path, about, tensor)
    for axis, n in zip('XYZ', patch or (), strict=False):
        if axis in fixed and fixed[axis] not in {n, n - 2 * about.margin}:
            raise ValueError(
                f'{path}: output {tensor.name!r} has shape {tensor.shape}, expected {n} or '
                f'{n - 2 * about.margin} voxels along {axis}: correct patch or margin in the JSON'
            )


def _fixed(path: Path, about: Description, tensor: Any) -> Mapping[str, int]:
    # a network need not tell its shape; then None or an empty list stands for it
    if tensor.shape and len(tensor.shape) != len(about.layout):
        raise ValueError(
            f'{path}: {tensor.name!r} has shape {tensor.shape}, expected {len(about.layout)} axes, '
            f'{about.layout}: correct the layout in the JSON'
        )
    sizes = zip(about.layout, tensor.shape or (), strict=False)
    return {axis: n for axis, n in sizes if isinstance(n, int)}


def _padded(shape: tuple[int, ...], extra: int, multiple: int) -> Shape:
    nx, ny, nz = (-(-(n + extra) // multiple) * multiple for n in shape)
    return nx, ny, nz
