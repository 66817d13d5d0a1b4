"""Damaged input, tried by chance: ``python benchmarks/fuzz.py [--minutes 10] [--seed N]``.

A dataset of two small subjects is made, with derivatives (masks, labels, a mask of FreeSurfer's), an atlas,
participants, a filter file, settings and what a call left for the level ``group``. Each try spoils one thing of it:
bytes of a header or of a file, a field of a header, entries of a sidecar, text of a table, the name of a folder or
file, or what kind of thing it is. All but what belongs to the whole dataset is sub-02's. Then the runs are listed,
their graph is built, the methods text is written, the images of all that is to be processed are read, atlas and
cohort are read. Columns: tries; tracebacks, which are errors without a sentence; hangs of more than 20 s;
files left or changed outside the output and work folders; lost neighbours, which are tries in which sub-01 could not
be processed. All but the first are to be 0; each that is not is printed. Minutes are of one processor.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from isal import igzip

from bidsqsm.atlases.atlas_lookup import resolve_atlases
from bidsqsm.cli.call import Call
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.cli.run import participant, settle
from bidsqsm.cohort.gather import gather
from bidsqsm.config import Config
from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import load_stored, load_volumes
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.participants import ages_of
from bidsqsm.inputs.precomputed import load_mask
from bidsqsm.inputs.run import GreRun
from bidsqsm.workflows.base import init_bidsqsm_wf

COLUMNS = ('tries', 'tracebacks', 'hangs', 'files outside', 'lost neighbours')
MOST_SECONDS = 20
TRIES_IN_A_ROW = 25
SHAPE = (12, 12, 12)
GOOD, BAD = 'sub-01', 'sub-02'
SIDECAR = {'MagneticFieldStrength': 3, 'Units': 'rad', 'FlipAngle': 15, 'Manufacturer': 'Made'}
SETTINGS = b'products = ["qsm", "r2star"]\nnprocs = 1\n'

Draw = Callable[[st.SearchStrategy[Any]], Any]
Spoil = Callable[[Path, Draw], str]


class Hang(BaseException):
    """A try took too long."""


@dataclass
class Counts:
    """What the tries came to, by what was spoilt, and a text for each that went wrong."""

    table: dict[str, Counter[str]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def add(self, target: str, column: str, text: str = '') -> None:
        """Count one more; with a text, it is something that should not be."""
        self.table.setdefault(target, Counter())[column] += 1
        if text:
            self.found.append(f'{column} ({target}): {text}')

    def lines(self) -> list[str]:
        """The table, with sums in its last row."""
        total = sum(self.table.values(), Counter())
        rows = [*self.table.items(), ('all', total)]
        return [
            '\t'.join(['what is spoilt', *COLUMNS]),
            *('\t'.join([name, *(f'{row[column]}' for column in COLUMNS)]) for name, row in rows),
        ]


def make(root: Path) -> None:
    """Write the dataset and all that goes with it."""
    random = np.random.default_rng(0)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    ball = (np.indices(SHAPE) - 5.5).__pow__(2).sum(axis=0) < 25

    def image(name: str, values: Any) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made = (nb.MGHImage if name.endswith('.mgz') else nb.Nifti1Image)(values, affine)
        if not name.endswith('.mgz'):
            made.header.set_xyzt_units('mm')
        nb.save(made, path)

    def text(name: str, content: Any) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    for who in (GOOD, BAD):
        for echo in (1, 2):
            for part in ('mag', 'phase'):
                stem = f'ds/{who}/anat/{who}_echo-{echo}_part-{part}_MEGRE'
                image(f'{stem}.nii.gz', random.random(SHAPE, np.float32))
                text(f'{stem}.json', {**SIDECAR, 'EchoTime': 0.01 * echo})
        image(f'ds/{who}/anat/{who}_T1w.nii.gz', random.random(SHAPE, np.float32))
        given = f'given/{who}/anat/{who}'
        image(f'{given}_desc-brain_mask.nii.gz', ball.astype(np.uint8))
        image(f'{given}_space-T1w_desc-mine_dseg.nii.gz', 3 * ball.astype(np.uint8))
        text(f'{given}_space-T1w_desc-mine_dseg.tsv', 'index\tname\n3\tcaudate\n')
        image(f'given/{who}/mri/mask.mgz', ball.astype(np.uint8))
        status = {'run': who, 'status': 'ok', 'reason': None, 'warnings': []}
        text(f'left/{who}/log/1_a/{who}_status.json', status)
    for name in ('ds', 'given'):
        text(f'{name}/dataset_description.json', {'Name': 'x', 'BIDSVersion': '1.10.0'})
    text('ds/participants.tsv', f'participant_id\tage\n{GOOD}\t40\n{BAD}\t41\n')
    image('atlas/template.nii.gz', random.random(SHAPE, np.float32))
    image('atlas/dseg.nii.gz', ball.astype(np.uint8))
    text('atlas/dseg.tsv', 'index\tname\n1\tcaudate\n')
    text('atlas/atlas.json', {'Name': 'Mine', 'License': 'CC0'})
    text('filter.json', {'megre': {'suffix': 'MEGRE'}, 't1w': {'run': None}})
    text('settings.toml', SETTINGS.decode())


def images(root: Path) -> list[Path]:
    """Images that are sub-02's or the atlas's."""
    return [path for path in theirs(root) if '.nii' in path.name or path.suffix == '.mgz']


def theirs(root: Path) -> list[Path]:
    """Files that are sub-02's or the atlas's."""
    return sorted(p for p in root.rglob('*') if p.is_file() and {BAD, 'atlas'} & {*p.parts})


def shared(root: Path) -> list[Path]:
    """Files of the whole dataset, which may end a call with a sentence."""
    names = ('ds/dataset_description.json', 'filter.json', 'settings.toml')
    return [*(root / name for name in names), root / 'ds/participants.tsv']


def _flip(raw: bytes, draw: Draw, end: int) -> bytes:
    spoilt = bytearray(raw)
    where = st.integers(0, max(0, min(end, len(raw)) - 1))
    for at in draw(st.lists(where, min_size=1, max_size=8)) if raw else ():
        spoilt[at] = draw(st.integers(0, 255))
    return bytes(spoilt)


def header_bytes(root: Path, draw: Draw) -> str:
    """Bytes of a header, the file being whole otherwise."""
    path = draw(st.sampled_from(images(root)))
    raw = igzip.decompress(path.read_bytes())
    path.write_bytes(igzip.compress(_flip(raw, draw, 352), 0))
    return path.name


def header_fields(root: Path, draw: Draw) -> str:
    """Fields of a header, set to numbers that it may hold and should not."""
    path = draw(st.sampled_from([p for p in images(root) if p.suffix == '.gz']))
    raw = igzip.decompress(path.read_bytes())
    header = nb.Nifti1Header.from_fileobj(io.BytesIO(raw), check=False)
    names = [name for name in header if header[name].dtype.kind in 'iuf']
    told = []
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        kind = header[name].dtype
        numbers = st.floats(width=32) if kind.kind == 'f' else _integers(kind)
        values = draw(st.lists(numbers, min_size=header[name].size, max_size=header[name].size))
        header[name] = np.array(values, kind).reshape(header[name].shape)
        told.append(f'{name}={values}')
    path.write_bytes(igzip.compress(header.binaryblock + raw[348:], 0))
    return f'{path.name} {told}'


def _integers(kind: np.dtype[Any]) -> st.SearchStrategy[int]:
    about = np.iinfo(kind)
    return st.integers(max(-2, int(about.min)), 9) | st.integers(int(about.min), int(about.max))


def stream(root: Path, draw: Draw) -> str:
    """Bytes of any file, cut, flipped or with something behind."""
    path = draw(st.sampled_from([*theirs(root), *shared(root)]))
    raw = path.read_bytes()
    how = draw(st.sampled_from(['cut', 'flip', 'behind', 'other']))
    if how == 'cut':
        raw = raw[: draw(st.integers(0, len(raw)))]
    elif how == 'flip':
        raw = _flip(raw, draw, len(raw))
    else:
        raw = draw(st.binary(max_size=400)) if how == 'other' else raw + draw(st.binary())
    path.write_bytes(raw)
    return f'{how} {path.name}'


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
_KEYS = st.sampled_from(
    [
        *('EchoTime', 'MagneticFieldStrength', 'ImagingFrequency', 'Units', 'FlipAngle'),
        *('RepetitionTime', 'Manufacturer', 'ManufacturersModelName', 'MRAcquisitionType'),
        *('ReadoutPolarity', 'ImageType', 'SoftwareVersions', 'Name', 'BIDSVersion', 'megre'),
        *('t1w', 'status', 'warnings', 'reason', 'License', 'Template', 'GeneratedBy'),
        *('PhaseEncodingDirection', 'ScanningSequence', 'DatasetLinks', 'AcquisitionDuration'),
    ]
)


def entries(root: Path, draw: Draw) -> str:
    """Entries of a JSON file, of any type."""
    paths = [path for path in (*theirs(root), *shared(root)) if path.suffix == '.json']
    path = draw(st.sampled_from(paths))
    more = draw(st.dictionaries(_KEYS, _JSON, min_size=1, max_size=4))
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return f'{path.name} {more}'


def text(root: Path, draw: Draw) -> str:
    """Text of a table, a JSON file or the settings."""
    endings = ('.json', '.tsv', '.toml')
    paths = [path for path in (*theirs(root), *shared(root)) if path.suffix in endings]
    path = draw(st.sampled_from(paths))
    piece = draw(st.text('\t\n\r"\'[]{}=,.:-_0123456789aeé\0\ufeff', max_size=60) | st.text())
    times = draw(st.sampled_from([1, 1, 1, 3000, 100_000]))
    whole = path.read_text()
    at = draw(st.integers(0, len(whole)))
    coding = draw(st.sampled_from(['utf-8', 'utf-8', 'utf-16', 'latin-1', 'utf-7']))
    told = whole[:at] + piece * times + whole[at:]
    path.write_bytes(told.encode(coding, errors='replace'))
    return f'{path.name} {at} {piece!r} x {times} {coding}'


_NAME = st.binary(min_size=1, max_size=40).map(
    lambda raw: raw.replace(b'/', b'').replace(b'\0', b'')
)


def names(root: Path, draw: Draw) -> str:
    """Names of subjects, sessions and files, of any bytes but a slash and a zero."""
    stem = draw(_NAME | st.sampled_from([b'**', b'*', b'[a', b'..', b'01', b'02_ses-1', b'+']))
    word = os.fsdecode(stem)
    place = draw(st.sampled_from(['sub', 'ses', 'file', 'entity', 'given']))
    anat = root / 'ds' / BAD / 'anat'
    if place == 'sub':
        source, target = root / 'ds' / BAD, root / 'ds' / f'sub-{word}'
    elif place == 'ses':
        source, target = anat, root / 'ds' / BAD / f'ses-{word}' / 'anat'
        target.parent.mkdir()
    else:
        folder = root / 'given' / BAD / 'anat' if place == 'given' else anat
        source = draw(st.sampled_from(sorted(folder.iterdir())))
        middle = source.name.removeprefix(f'{BAD}_')
        target = source.with_name(word if place == 'file' else f'{BAD}_acq-{word}_{middle}')
    if not target.exists():
        source.rename(target)
    return f'{place} {word!r}'


def kinds(root: Path, draw: Draw) -> str:
    """A pipe, a device, a folder or a link in place of a file or folder."""
    places = [path for path in root.rglob('*') if BAD in path.parts or 'atlas' in path.parts]
    path = draw(st.sampled_from(sorted([*places, *shared(root)])))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    kind = draw(st.sampled_from(['pipe', 'folder', 'file', '/dev/zero', 'gone', path.name, '..']))
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'folder':
        path.mkdir()
    elif kind == 'file':
        path.touch()
        os.truncate(path, draw(st.sampled_from([0, 1, 2**40])))
    else:
        path.symlink_to(kind)
    return f'{path.relative_to(root)} is {kind}'


TARGETS: tuple[Spoil, ...] = (header_bytes, header_fields, stream, entries, text, names, kinds)


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def late(_number: int, _frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _listing(root: Path) -> dict[str, float]:
    kept = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118 - names of any bytes
            if not path.startswith((f'{root}/out', f'{root}/work')):
                kept[path] = os.lstat(path).st_mtime_ns
    return kept


def use(root: Path) -> bool:
    """Do with the dataset all that reads it; returns whether sub-01 can be processed.

    Raises
    ------
    Exception
        Whatever is not told in a sentence.

    """
    with contextlib.suppress(DatasetError):
        resolve_atlases([f'{root}/atlas'])
    _read_cohort(root)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            config = _parsed(root)
            participant(replace(config, dry_run=True), 'bidsqsm')
        except (SystemExit, DatasetError) as error:
            # of the words, or of what belongs to the whole dataset
            return BAD not in f'{error} {printed.getvalue()}'
    return _go_through(config)


def _parsed(root: Path) -> Config:
    """Read the command line; to do so takes long, and is done anew only for other settings."""
    file = root / 'settings.toml'
    usual = file.is_file() and not file.is_symlink() and file.read_bytes() == SETTINGS
    config = _usual_config() if usual else _config(root)
    return replace(
        config,
        bids_dir=root / 'ds',
        output_dir=root / 'out',
        work_dir=root / 'work',
        bids_filter_file=root / 'filter.json',
        derivatives={'given': root / 'given'},
    )


@functools.cache
def _usual_config() -> Config:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / 'settings.toml').write_bytes(SETTINGS)
        return _config(Path(name))


def _config(root: Path) -> Config:
    words = [f'{root}/ds', f'{root}/out', 'participant', '--skip-bids-validation']
    words += ['--atlases', 'none', '--config-file', f'{root}/settings.toml']
    config = parse_arguments(words)
    return config if isinstance(config, Config) else sys.exit(2)


def _go_through(config: Config) -> bool:
    found = find_runs(config.bids_dir, derivatives=config.derivatives)
    config = settle(config, found)
    # that of sub-01 is the same every time
    runs = [run for run in found if isinstance(run, GreRun) and run.name != GOOD]
    init_bidsqsm_wf(config, runs, ages=ages_of(config.bids_dir, []))
    Call(config, 'bidsqsm', [run for run in found if run.name != GOOD]).write_boilerplate()
    for run in runs:
        with contextlib.suppress(DatasetError):
            _read(run)
    return any(isinstance(run, GreRun) and run.name == GOOD for run in found)


def _read(run: GreRun) -> None:
    for part in (run.magnitude, run.phase):
        load_volumes(part)
        load_stored(part)
    if run.mask is not None:
        load_mask(run.mask)


def _read_cohort(root: Path) -> None:
    cohort = gather(root / 'ds', root / 'left')
    if not [run for run in cohort.runs if run.name == GOOD and run.status == 'ok']:
        raise RuntimeError('the level group has lost sub-01')


def attempt(template: Path, spoil: Spoil, draw: Draw, counts: Counts) -> None:
    """Spoil a copy of the dataset once, and see what comes of it."""
    target = spoil.__name__.replace('_', ' ')
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        shutil.copytree(template, root, dirs_exist_ok=True)
        what = spoil(root, draw)
        before = _listing(root)
        counts.add(target, 'tries')
        try:
            with _at_most(MOST_SECONDS):
                if not use(root):
                    counts.add(target, 'lost neighbours', what)
        except Hang:
            counts.add(target, 'hangs', f'{what}\n{traceback.format_exc(limit=-3)}')
        except Exception:  # noqa: BLE001 - this is what is counted
            counts.add(target, 'tracebacks', f'{what}\n{traceback.format_exc(limit=-4)}')
        if _listing(root) != before:
            counts.add(target, 'files outside', what)


def fuzz(seconds: float, first_seed: int = 0, tries: int = TRIES_IN_A_ROW) -> Counts:
    """Try for this many seconds of one processor, so many times in a row of one kind."""
    logging.getLogger('nibabel.global').setLevel(logging.CRITICAL)  # it prints on the terminal
    counts, number = Counts(), first_seed
    with tempfile.TemporaryDirectory() as name:
        template = Path(name)
        make(template)
        use(template)  # what is loaded and compiled once is no part of the time
        start = time.process_time()
        while time.process_time() - start < seconds:
            spoil = TARGETS[number % len(TARGETS)]
            _round(template, spoil, number, counts, tries)
            number += 1
    return counts


def _round(template: Path, spoil: Spoil, number: int, counts: Counts, tries: int) -> None:
    @seed(number)
    @settings(
        max_examples=tries,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def try_once(data: st.DataObject) -> None:
        attempt(template, spoil, data.draw, counts)

    try_once()


def run(argv: list[str] | None = None) -> int:
    """Fuzz, print the table, and return 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--minutes', type=float, default=10, help='of one processor')
    parser.add_argument('--seed', type=int, default=0, help='another one makes other tries')
    arguments = parser.parse_args(argv)
    counts = fuzz(60 * arguments.minutes, arguments.seed)
    for text_ in counts.found:
        print(text_, file=sys.stderr)
    print('\n'.join(counts.lines()))
    return 1 if counts.found else 0


if __name__ == '__main__':
    sys.exit(run())
