"""What the words of the command line are turned into, or one sentence on what is wrong with them."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from bidsqsm.cli.resources import parse_memory
from bidsqsm.files.regular_files import open_regular, why_no_folder, why_unreadable
from bidsqsm.inputs.orientation_set import read_orientations
from bidsqsm.method import Choice, Step
from bidsqsm.qsm.body import BODIES, wanted_body

_MOST_DIGITS = 9  # of a number of processors or rounds
_FILE_LIKE = re.compile(r'[/*?{]|\.nii(\.gz)?$')


def choice(step: Step) -> Callable[[str], Choice]:
    """Give what reads a method of a step with its parameters."""

    def parse(text: str) -> Choice:
        try:
            return step.choose(text)
        except ValueError as error:
            near = suggest(text.partition(':')[0], [m.name for m in step.methods])
            raise argparse.ArgumentTypeError(f'{error}{near}') from None

    return parse


def choice_or_file(step: Step) -> Callable[[str], Choice | str]:
    """Give what reads a method of a step, or the pattern of a file."""

    def parse(text: str) -> Choice | str:
        if _FILE_LIKE.search(text.partition(':')[0]):
            return text
        return choice(step)(text)

    return parse


def suggest(word: str, known: Iterable[str]) -> str:
    """Name the known word that was probably meant; empty where there is none."""
    near = difflib.get_close_matches(word, [*known], n=1, cutoff=0.6)
    return f'; did you mean {near[0]}?' if near and near[0] != word else ''


def orientations(text: str) -> str:
    """Check what tells orientations of a head apart."""
    try:
        read_orientations(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def body(text: str) -> str:
    """Check what was scanned and how large it is."""
    try:
        wanted_body(text)
    except ValueError as error:
        near = suggest(text.partition(':')[0], ['auto', *BODIES])
        raise argparse.ArgumentTypeError(f'{error}{near}') from None
    return text


def without(prefix: str) -> Callable[[str], str]:
    """Give what takes a prefix off a label."""

    def label(text: str) -> str:
        return text.removeprefix(prefix)

    return label


def any_path(text: str) -> Path:
    """Read a path that a disk can have, whether anything is there or not."""
    path = Path(text)
    try:
        path.expanduser().resolve().lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return path  # what it is for decides whether that matters
    except OSError as error:
        raise argparse.ArgumentTypeError(f'{text} {why_unreadable(path, error)}') from None
    except (RuntimeError, ValueError) as error:  # a loop of links, an unknown user, a zero byte
        raise argparse.ArgumentTypeError(f'{text} is no path that can be used: {error}') from None
    return path


def existing(text: str) -> Path:
    """Read the path of a file that is there and may be read."""
    path = any_path(text)
    try:
        open_regular(path).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f'{text} {why_unreadable(path, error)}') from None
    return path


def named_path(text: str) -> tuple[str, Path]:
    """Read NAME=PATH of a folder that is there."""
    name, equals, path = text.partition('=')
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f'expected NAME=PATH, got {text!r}')
    if why := why_no_folder(any_path(path)):
        raise argparse.ArgumentTypeError(f'{name}: {path} {why}')
    return name, Path(path).resolve()


def count(text: str) -> int:
    """Read a whole number from 1 up."""
    if not text.isdecimal() or len(text) > _MOST_DIGITS or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number from 1 up, got {text!r}')
    return int(text)


def memory(text: str) -> float:
    """Read an amount of memory, in GB."""
    try:
        return parse_memory(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
