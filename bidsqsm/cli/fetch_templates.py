"""``bidsqsm fetch-templates``: bring templates and atlases to where runs without a network find them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bidsqsm.atlases.fetch import FetchError, fetch
from bidsqsm.atlases.templateflow import (
    DEFAULT_ATLAS,
    FLOW_ATLASES,
    home,
    parse_space,
    unknown_atlas,
)
from bidsqsm.cli.terminal import say
from bidsqsm.errors import DatasetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        '--atlases',
        nargs='+',
        default=None,
        metavar='ATLAS',
        help=f'{" or ".join(FLOW_ATLASES)}; folders, which need no network, are passed over'
        f' (default: {DEFAULT_ATLAS}, unless --output-spaces is given)',
    )
    add(
        '--output-spaces',
        nargs='+',
        default=[],
        metavar='SPACE',
        help='templates of TemplateFlow, NAME or NAME:res-N; folders are passed over',
    )


def wanted_from(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Give the atlases and the spaces to fetch, or raise DatasetError with what is wrong."""
    spaces = [space for space in arguments.output_spaces if not Path(space).is_dir()]
    atlases = arguments.atlases
    if atlases is None:
        atlases = [] if arguments.output_spaces else [DEFAULT_ATLAS]
    atlases = [atlas for atlas in atlases if atlas in FLOW_ATLASES or not Path(atlas).is_dir()]
    for atlas in atlases:
        if atlas not in FLOW_ATLASES:
            raise unknown_atlas(atlas)
    for space in spaces:
        parse_space(space)
    return atlases, spaces


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch; 0 when all is there, 1 where it could not be had, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog='bidsqsm fetch-templates',
        description='Download what --atlases and --output-spaces need into the folder '
        'TEMPLATEFLOW_HOME, else ~/.cache/templateflow.',
    )
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        atlases, spaces = wanted_from(arguments)
        fetched = fetch(atlases, spaces, lambda file, how: say(f'{how}: {file}'))
    except (FetchError, DatasetError) as error:
        say(f'bidsqsm fetch-templates failed: {error}', error=True)
        return 2 if isinstance(error, DatasetError) else 1
    for atlas in atlases:
        say(f'{atlas}: {FLOW_ATLASES[atlas].source}; licence: {FLOW_ATLASES[atlas].license}')
    say(f'fetched {len(fetched)} files into {home()}')
    return 0
