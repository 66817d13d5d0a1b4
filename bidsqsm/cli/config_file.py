"""The file of ``--config-file``: TOML whose keys are the long options."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from bidsqsm.cli.arguments import suggest
from bidsqsm.files.regular_files import read_text, why_unreadable


def read_config_file(path: Path, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Read settings from a TOML file whose keys are the long options without their dashes."""
    try:
        table = tomllib.loads(read_text(path))
    except OSError as error:
        parser.error(f'--config-file {path} {why_unreadable(path, error)}')
    except ValueError as error:
        parser.error(f'--config-file {path}: {error}')
    except RecursionError:
        parser.error(f'--config-file {path}: it is nested too deeply')
    actions = {
        name.removeprefix('--').replace('_', '-'): action
        for action in parser._actions  # noqa: SLF001 - argparse offers no public list
        for name in action.option_strings
        if name.startswith('--') and action.dest not in ('help', 'version', 'config_file')
    }
    settings = {}
    for key, value in table.items():
        action = actions.get(key.replace('_', '-'))
        if action is None:
            parser.error(f'--config-file {path}: unknown setting {key!r}{suggest(key, actions)}')
        try:
            settings[action.dest] = _convert(action, key, value, parser, path)
        except (RecursionError, ValueError):  # tables without end, numbers of thousands of digits
            parser.error(f'--config-file {path}: {key}: its value cannot be written out')
    return settings


def _convert(
    action: argparse.Action,
    key: str,
    value: Any,
    parser: argparse.ArgumentParser,
    path: Path,
) -> Any:
    """Bring a value of the TOML file through the same checks as the command line's."""
    if action.nargs == 0:
        wanted = int if action.dest == 'verbose' else bool
        if type(value) is not wanted:
            parser.error(f'--config-file {path}: {key}: expected {wanted.__name__}, got {value!r}')
        return value
    items = [f'{k}={v}' for k, v in value.items()] if isinstance(value, dict) else value
    several = action.nargs == '+'
    try:
        texts = items if several and isinstance(items, list) else [items]
        read = [parser._get_value(action, str(text)) for text in texts]  # noqa: SLF001
        for one in read:
            parser._check_value(action, one)  # noqa: SLF001
    except argparse.ArgumentError as error:
        parser.error(f'--config-file {path}: {key}: {error.message}')
    return read if several else read[0]
