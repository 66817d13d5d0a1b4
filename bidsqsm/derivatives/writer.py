"""A run's derivative images and their sidecars, all of them or none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import nibabel as nb
import numpy as np

from bidsqsm.derivatives.bibliography import printed_references
from bidsqsm.derivatives.dataset_files import write_dataset_files
from bidsqsm.derivatives.extra_files import ExtraFile
from bidsqsm.derivatives.products import Product, image_path, products_of
from bidsqsm.derivatives.sidecars import dataset_root, processing, sidecar, sources
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.files.atomic import staged, write_image
from bidsqsm.files.json_files import write_json
from bidsqsm.files.nifti import Affine, Array, scanner_affine
from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice


def write_run(
    output_dir: Path,
    run: GreRun,
    products: Mapping[str, Path],
    facts: RunFacts,
    choices: Mapping[str, Choice],
    links: Mapping[str, Path] | None = None,
    extras: Sequence[ExtraFile] = (),
) -> list[Path]:
    """Write every derivative of a run, or none of them.

    Parameters
    ----------
    output_dir
        Root of the derivative dataset; its description is made on the way.
    run
        The run, for its name, its grid and its metadata.
    products
        NIfTI files by their key in :data:`bidsqsm.derivatives.products.PRODUCTS`. Fields and their
        noise are in ppm of B0 and become Hz; ``unwrapped`` has echoes along its fourth axis.
    facts
        What each step decided.
    choices
        Method of every step, with its parameters.
    links
        Datasets by the name they have in ``DatasetLinks``; ``raw`` is found if it is not given.
    extras
        Files that are none of the products.

    Returns
    -------
    paths
        The products' images in the order of their table, then the extras.

    """
    output_dir = Path(output_dir)
    links = {'raw': dataset_root(run), **(links or {})}
    wanted = _with_field_magnitude(products, run)
    describe = partial(
        sidecar,
        run=run,
        facts=facts,
        choices=choices,
        links=links,
        bibliography=printed_references(),
        statistics=reference_statistics(products),
    )
    template = nb.load(run.files[0])
    written: list[PurePosixPath] = []
    with staged(output_dir, run.name) as room:
        for key, path in wanted.items():
            product = products_of(run)[key]
            written += _write_product(product, path, room, template, run, describe(key))
        for extra in extras:
            name = extra.path(run.entities)
            _write_extra(extra, room / name, template, run)
            if extra.content is not None:
                if extra.product:
                    about = describe(extra.product)
                else:
                    about = _about_extra(extra, run, facts, choices, links)
                beside = room / f'{name}'.replace(extra.extension, '.json')
                write_json(beside, about | dict(extra.content))
            written.append(name)
        write_dataset_files(output_dir, links)
    return [output_dir / name for name in written]


def _write_product(
    product: Product,
    path: Path,
    room: Path,
    template: nb.Nifti1Image,
    run: GreRun,
    content: dict[str, Any],
) -> list[PurePosixPath]:
    """Write a product, each echo by itself where it has several, with the JSON beside."""
    written = []
    for echo, image in _volumes(product, nb.load(path)):
        name = image_path(run.entities, product, echo)
        write_image(room / name, *_as_written(product, image, template, run))
        if echo is not None:
            content['EchoTime'] = run.echo_times[echo - 1]
        write_json(room / f'{name}'.replace('.nii.gz', '.json'), content)
        written.append(name)
    return written


def _about_extra(
    extra: ExtraFile,
    run: GreRun,
    facts: RunFacts,
    choices: Mapping[str, Choice],
    links: Mapping[str, Path],
) -> dict[str, Any]:
    """Where a file that is no product comes from."""
    about: dict[str, Any] = {'Sources': sources(run, links)}
    if steps := _steps_of_labels(extra, facts):
        about['Processing'] = processing(choices, steps)
    return about


def _steps_of_labels(extra: ExtraFile, facts: RunFacts) -> list[str]:
    """What the labels of an atlas went through, transforms that were given left aside."""
    if extra.suffix != 'dseg' or 'Atlas' not in (extra.content or {}):
        return []
    found = any(one.given is None for one in facts['registration'].pairs.values())
    refined = extra.entities.get('desc') == 'refined'
    return ['registration'] * found + ['roi_refine'] * refined


def _write_extra(extra: ExtraFile, path: Path, template: nb.Nifti1Image, run: GreRun) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if extra.extension != '.nii.gz':
        shutil.copyfile(extra.source, path)
        return
    image = nb.load(extra.source)
    if extra.product:
        values, affine, header = _as_written(products_of(run)[extra.product], image, template, run)
    else:
        values = np.asanyarray(image.dataobj)
        values = values.astype(np.min_scalar_type(int(values.max())) if values.any() else np.uint8)
        affine, header = _geometry(image, template, values.dtype.name)
    write_image(path, values, affine, header)


def reference_statistics(products: Mapping[str, Path]) -> dict[str, float]:
    """Spread of chi (ppm) in its reference region, and its mean over the brain.

    The consensus asks for both wherever the region is not the whole brain.
    """
    regions = {'ReferenceStandardDeviation': 'reference_mask', 'WholeBrainMean': 'qsm_mask'}
    if 'chi' not in products:
        return {}
    chi = nb.load(products['chi']).get_fdata(dtype=np.float32)
    found = {}
    for name, key in regions.items():
        if key in products:
            inside = chi[np.asanyarray(nb.load(products[key]).dataobj) > 0]
            measure = np.std if key == 'reference_mask' else np.mean
            if inside.size:
                found[name] = round(float(measure(inside, dtype=np.float64)), 6)
    return found


def _with_field_magnitude(products: Mapping[str, Path], run: GreRun) -> dict[str, Path]:
    # BIDS wants the magnitude a field map belongs to in the same folder
    given = dict(products)
    in_fmap = any(
        products_of(run)[key].folder == 'fmap' for key in given if key in products_of(run)
    )
    if 'magnitude_rss' in given and in_fmap:
        given['fmap_magnitude'] = given['magnitude_rss']
    unknown = [key for key in given if key not in products_of(run)]
    if unknown:
        raise ValueError(f'no product {unknown[0]!r}; there are: {", ".join(products_of(run))}')
    return {key: given[key] for key in products_of(run) if key in given}


def _volumes(
    product: Product, image: nb.Nifti1Image
) -> Iterator[tuple[int | None, nb.Nifti1Image]]:
    if not product.per_echo:
        yield None, image
    elif image.ndim == 3:
        yield 1, image
    else:
        for echo in range(image.shape[3]):
            yield echo + 1, image.slicer[..., echo]


def _as_written(
    product: Product, image: nb.Nifti1Image, template: nb.Nifti1Image, run: GreRun
) -> tuple[Array, Affine, nb.Nifti1Header]:
    if product.mask_type:
        values = (np.asanyarray(image.dataobj) > 0).astype(np.uint8)
    else:
        values = image.get_fdata(dtype=np.float32)
    if product.in_hz:
        values = values * np.float32(run.imaging_frequency)
    return values, *_geometry(image, template, product.dtype)


def _geometry(
    image: nb.Nifti1Image, template: nb.Nifti1Image, dtype: str
) -> tuple[Affine, nb.Nifti1Header]:
    """Affine and header, with the input's own qform and sform where the grid is the input's."""
    same = image.shape == template.shape[:3] and np.allclose(
        image.affine, scanner_affine(template), atol=1e-4
    )
    origin = template if same else image
    header = nb.Nifti1Header()
    header.set_data_shape(image.shape)
    header.set_data_dtype(dtype)
    header.set_zooms(origin.header.get_zooms()[:3])
    header.set_qform(*origin.header.get_qform(coded=True))
    header.set_sform(*origin.header.get_sform(coded=True))
    header.set_xyzt_units('mm', 'sec')
    return origin.affine, header
