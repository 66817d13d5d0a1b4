"""What all interfaces of the pipeline share: threads, version, facts, and files of volumes."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nipype.interfaces.base import (
    BaseInterfaceInputSpec,
    SimpleInterface,
    TraitedSpec,
    isdefined,
    traits,
)

import bidsqsm
from bidsqsm.catalog import STEPS
from bidsqsm.facts.record import Record, SolverFacts
from bidsqsm.files.nifti import load_volume, save_volume, scanner_affine
from bidsqsm.method import Choice
from bidsqsm.qsm.body import Body
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import Convergence
from bidsqsm.qsm.registration.body_lengths import scaled_affine

#: Points of the history of an iteration that are kept.
CHANGES = 200


#: Parts of the package that no result in the work folder depends on.
WITHOUT_RESULTS = {'__main__.py', 'cli', 'cohort', 'data', 'demo', 'executor.py', 'reports'}
#: Distributions that the numbers come from; the Python that runs them counts as well.
LIBRARIES = (
    'isal',
    'llvmlite',
    'networkx',
    'nibabel',
    'nipype',
    'numba',
    'numpy',
    'onnxruntime',
    'pandas',
    'picsl_greedy',
    'scikit-image',
    'scipy',
    'simpleitk',
)


@functools.cache
def software() -> str:
    """Version of the app and a digest of what a result depends on besides the inputs of its step.

    These are the code that decides, reads, computes and connects, and the versions of the
    libraries: results of others are not used again.
    """
    root, digest = Path(bidsqsm.__file__).parent, hashlib.sha256()
    for part in sorted(root.iterdir()):
        if part.name not in WITHOUT_RESULTS:
            # the workflows may be a link
            place = part.resolve()
            for path in [place] if place.is_file() else sorted(place.rglob('*.py')):
                digest.update(f'{part.name}/{path.relative_to(place)}\n'.encode())
                digest.update(path.read_bytes())
    digest.update(f'python {platform.python_version()}'.encode())
    for name in LIBRARIES:
        digest.update(f' {name} {_version(name)}'.encode())
    return f'{bidsqsm.__version__}+{digest.hexdigest()[:12]}'


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return 'none'


class StepInputSpec(BaseInterfaceInputSpec):
    """Inputs that every step has."""

    num_threads = traits.Int(1, usedefault=True, nohash=True, desc='threads the step may use')
    body = traits.Str('adult', usedefault=True, desc='what was scanned')
    body_scale = traits.Float(1.0, usedefault=True, desc="its lengths over an adult's")
    software = traits.Str(
        desc='version of the code and its libraries, part of what makes a result valid'
    )


class StepOutputSpec(TraitedSpec):
    """Outputs that every step has."""

    facts = traits.Dict(desc='what was decided from the data, plain JSON types')


class StepInterface(SimpleInterface):
    """An interface whose exceptions reach the executor as they were raised."""

    input_spec = StepInputSpec
    output_spec = StepOutputSpec

    def __init__(self, **inputs: Any) -> None:
        super().__init__(**{'software': software(), **inputs})

    def run(self, cwd: Any = None, ignore_exception: Any = None, **inputs: Any) -> Any:  # noqa: ARG002 - Nipype's signature
        """Run; the argument that would turn an exception into text is not heeded."""
        return super().run(cwd=cwd, ignore_exception=False, **inputs)

    def _list_outputs(self) -> dict[str, Any]:
        # facts have their type within a step; between steps they are plain JSON, which Nipype
        # hashes and stores the same way each time
        return {
            name: value.plain() if isinstance(value, Record) else value
            for name, value in super()._list_outputs().items()
        }

    def given(self, name: str) -> Any:
        """An optional input, None where it was not set."""
        value = getattr(self.inputs, name)
        return value if isdefined(value) else None

    @property
    def body(self) -> Body:
        """What was scanned."""
        return Body(self.inputs.body, self.inputs.body_scale)

    def grid(self, path: str) -> Grid:
        """Grid of an image, in lengths of an adult's head."""
        import nibabel as nb

        image = nb.load(path)
        return Grid.from_affine(image.shape, scanner_affine(image), self.inputs.body_scale)

    def affine(self, path: str) -> npt.NDArray[np.float64]:
        """Affine of an image, in lengths of an adult's head."""
        return np.asarray(scaled_affine(affine_of(path), 1 / self.inputs.body_scale))

    def choice(self, step: str) -> Choice:
        """The method that was chosen for a step."""
        return STEPS[step].choose(self.inputs.method)

    def save(self, runtime: Any, like: str, **arrays: npt.NDArray[Any] | None) -> None:
        """Write each array under its name, uncompressed, on the grid of the file ``like``."""
        affine = affine_of(like)
        for name, array in arrays.items():
            if array is not None:
                path = Path(runtime.cwd, f'{name}.nii')
                self._results[name] = str(save_volume(array, affine, path))


def convergence(endings: Sequence[Convergence]) -> tuple[SolverFacts, ...]:
    """How each iteration of a step came to its end.

    ``changes`` has the measure after :data:`CHANGES` iterations at most, evenly spaced from the
    first to the last.
    """
    return tuple(
        SolverFacts(
            solver=ending.name,
            iterations=ending.iterations,
            last=_rounded(ending.changes[-1]) if ending.changes else None,
            changes=tuple(thinned(ending.changes)),
            tolerance=ending.tol,
            converged=ending.converged,
        )
        for ending in endings
    )


def not_converged(endings: Sequence[Convergence]) -> tuple[str, ...]:
    """A warning for each iteration that did not converge."""
    return tuple(ending.sentence for ending in endings if not ending.converged)


def thinned(changes: Sequence[float]) -> list[float]:
    """Evenly spaced values of a history, the first and the last among them, to three digits."""
    count = min(len(changes), CHANGES)
    places = np.linspace(0, len(changes) - 1, count).round().astype(int)
    return [_rounded(changes[place]) for place in places]


def _rounded(value: float) -> float:
    return float(f'{value:.3g}')


def affine_of(path: str) -> npt.NDArray[np.float64]:
    """Affine that places an image in its scanner."""
    import nibabel as nb

    return scanner_affine(nb.load(path))


def read_volume(path: str) -> Volume:
    """Values of an image of the work folder, float32."""
    return load_volume(path)[0]


def read_optional_volume(path: str | None) -> Volume | None:
    """Values of an image, None where there is no image."""
    return None if path is None else read_volume(path)


def read_echoes(path: str) -> Volume:
    """Values of an image with one or more echoes, echo first."""
    values = load_volume(path)[0]
    return values if values.ndim == 4 else values[np.newaxis]


def read_mask(path: str) -> Mask:
    """A mask of the work folder."""
    return load_volume(path)[0] > 0


def read_optional_mask(path: str | None) -> Mask | None:
    """A mask, None where there is no image."""
    return None if path is None else read_mask(path)
