"""Atlases and templates, from TemplateFlow's home or a user's folder, found before any compute."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bidsqsm.atlases.atlas import Atlas, Template
from bidsqsm.atlases.atlas_checks import check_contrast, check_labels, check_template
from bidsqsm.atlases.label_table import read_labels
from bidsqsm.atlases.templateflow import (
    FLOW_ATLASES,
    atlas_files,
    check_there,
    parse_space,
    template_files,
    unknown_atlas,
)
from bidsqsm.errors import DatasetError
from bidsqsm.files.json_files import load_json
from bidsqsm.files.regular_files import why_no_folder

_IMAGE_EXTENSIONS = ('.nii.gz', '.nii')


def resolve_atlases(specs: Sequence[str]) -> tuple[Atlas, ...]:
    r"""Find atlases, check them and read their labels; nothing is downloaded.

    Parameters
    ----------
    specs
        ``MASSP20``, ``SUIT`` or folders with ``template.nii.gz``, ``dseg.nii.gz``, ``dseg.tsv``
        and, by choice, ``mask.nii.gz``, ``template_Chimap.nii.gz``, ``template_R2starmap.nii.gz``
        and ``atlas.json``.

    Raises
    ------
    MissingTemplate
        Where TemplateFlow's home lacks files; the sentence has their names and the command.
    DatasetError
        Where a folder lacks files, or what it holds cannot be right.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     for stem, volume in (('template', sphere.mask), ('dseg', 7 * sphere.inside)):
    ...         _ = save_volume(volume, affine, folder / f'{stem}.nii.gz')
    ...     _ = (folder / 'dseg.tsv').write_text('index\tname\n7\tputamen\n')
    ...     _ = (folder / 'atlas.json').write_text('{"Name": "Sphere"}')
    ...     (atlas,) = resolve_atlases([name])
    >>> atlas.name, [(label.index, label.structure) for label in atlas.labels]
    ('Sphere', [(7, 'putamen')])

    """
    check_there(spec for spec in specs if spec in FLOW_ATLASES)
    found: dict[int, Atlas] = {}
    # TemplateFlow's first: their template serves every atlas that says it lies on it
    for place in sorted(range(len(specs)), key=lambda n: specs[n] not in FLOW_ATLASES):
        spec = specs[place]
        atlas = _from_flow(spec) if spec in FLOW_ATLASES else _from_folder(spec)
        if any(other.name == atlas.name for other in found.values()):
            raise DatasetError(
                f'--atlases {spec}: there are two atlases with the name {atlas.name}, expected '
                'names that differ: leave one out or change "Name" in its atlas.json'
            )
        found[place] = _checked(_on_one_template(atlas, [*found.values()]))
    return tuple(found[place] for place in range(len(specs)))


def resolve_template(spec: str) -> Template:
    """Find a template for ``--output-spaces``; nothing is downloaded.

    Parameters
    ----------
    spec
        Such as ``MNI152NLin2009cAsym``, ``MNI152NLin2009cAsym:res-2``, or a folder with
        ``template.nii.gz`` and, by choice, ``mask.nii.gz`` and ``atlas.json``.

    Raises
    ------
    MissingTemplate
        Where TemplateFlow's home lacks files; the sentence has their names and the command.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name) / 'ball'
    ...     _ = save_volume(100.0 * sphere.mask, affine, folder / 'template.nii.gz')
    ...     template = resolve_template(f'{folder}')
    >>> template.name, template.t1w.name, template.mask
    ('ball', 'template.nii.gz', None)

    """
    if not why_no_folder(Path(spec)):
        folder = Path(spec)
        about = _about(folder)
        template = _own_template(folder, about, _name_of(folder, about))
    else:
        name, resolution = parse_space(spec)
        check_there(spaces=[spec])
        template = Template(name, *template_files(name, resolution), resolution)
    check_template(template.t1w, template.mask)
    return template


def _from_flow(name: str) -> Atlas:
    about = FLOW_ATLASES[name]
    dseg, tsv = atlas_files(name)
    labels = read_labels(tsv)
    if about.kept:
        labels = tuple(label for label in labels if label.index in about.kept)
    template = Template(about.template, *template_files(about.template))
    return Atlas(name, template, dseg, labels, about.license, about.source)


def _from_folder(spec: str) -> Atlas:
    folder = Path(spec)
    if why_no_folder(folder):
        raise unknown_atlas(spec)
    about = _about(folder)
    name = _name_of(folder, about)
    named = f'{about.get("Template", "")}'
    dseg, tsv = _image(folder, 'dseg'), folder / 'dseg.tsv'
    template = _image(folder, 'template')
    if dseg is None or not tsv.is_file() or not (template or named):
        raise DatasetError(
            f'the atlas folder {folder} lacks {_lacking(folder)}, expected template.nii.gz, '
            'dseg.nii.gz and dseg.tsv: add what is missing'
        )
    return Atlas(
        name,
        resolve_template(named) if template is None else _own_template(folder, about, name),
        dseg,
        read_labels(tsv),
        f'{about.get("License", "not stated")}',
        f'{about.get("Source", folder.name)}',
    )


def _lacking(folder: Path) -> str:
    images = [f'{stem}.nii.gz' for stem in ('template', 'dseg') if _image(folder, stem) is None]
    table = [] if (folder / 'dseg.tsv').is_file() else ['dseg.tsv']
    return ' and '.join([*images, *table])


def _own_template(folder: Path, about: Mapping[str, Any], name: str) -> Template:
    image = _image(folder, 'template')
    if image is None:
        raise DatasetError(
            f'the folder {folder} lacks template.nii.gz, expected a T1-weighted image: add it'
        )
    named = _alphanumeric(f'{about.get("Template", "")}') or name
    chi, r2star = (_image(folder, f'template_{suffix}') for suffix in ('Chimap', 'R2starmap'))
    return Template(named, image, _image(folder, 'mask'), chi=chi, r2star=r2star)


def _on_one_template(atlas: Atlas, others: Sequence[Atlas]) -> Atlas:
    # one name is one space in the outputs, and one registration
    for other in others:
        if other.template.name == atlas.template.name and other.template != atlas.template:
            said = (
                f'{atlas.template.t1w} is not used: {other.template.t1w.name} of atlas '
                f'{other.name} stands for the template {other.template.name}.'
            )
            return replace(atlas, template=other.template, warnings=(*atlas.warnings, said))
    return atlas


def _checked(atlas: Atlas) -> Atlas:
    brain = check_template(atlas.template.t1w, atlas.template.mask)
    for contrast in filter(None, (atlas.template.chi, atlas.template.r2star)):
        check_contrast(contrast, brain)
    # what an atlas of TemplateFlow has besides the labels that are kept is no surprise
    tell = not (atlas.name in FLOW_ATLASES and FLOW_ATLASES[atlas.name].kept)
    found = check_labels(atlas.dseg, atlas.labels, brain, tell_unknown=tell)
    return replace(atlas, warnings=(*atlas.warnings, *found))


def _about(folder: Path) -> Mapping[str, Any]:
    file = folder / 'atlas.json'
    if not file.exists():
        return {}
    try:
        about = load_json(file)
    except (OSError, ValueError) as error:
        raise DatasetError(f'{file} cannot be read ({error}), expected JSON: mend it') from error
    if not isinstance(about, dict):
        raise DatasetError(f'{file} holds a {type(about).__name__}, expected {{"Name": ...}}')
    return about


def _name_of(folder: Path, about: Mapping[str, Any]) -> str:
    name = _alphanumeric(f'{about.get("Name") or folder.resolve().name}')
    if not name:
        raise DatasetError(
            f'{folder} gives no name for the atlas, expected letters and digits: add an '
            'atlas.json with {"Name": "MyAtlas"}'
        )
    return name


def _alphanumeric(text: str) -> str:
    return re.sub(r'[^A-Za-z0-9]', '', text)


def _image(folder: Path, stem: str) -> Path | None:
    files = [folder / f'{stem}{ending}' for ending in _IMAGE_EXTENSIONS]
    return next((file for file in files if file.is_file()), None)
