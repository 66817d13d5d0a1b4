"""The pictures of panels as files beside a page and as content of it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bidsqsm.files.atomic import write_bytes
from bidsqsm.reports.panels.spec import Panel


def save_panels(panels: Sequence[Panel], run: str, folder: Path) -> list[Path]:
    """Write the pictures under ``<run>_desc-<what>_<suffix>.png``, where a run may have a desc.

    Pictures that take each other's place are numbered.
    """
    start = run if '_desc-' in run else f'{run}_desc-'
    return [
        write_bytes(folder / f'{start}{panel.key}{number}_{panel.suffix}.png', picture)
        for panel in panels
        if panel.image
        for number, picture in _numbered(panel)
    ]


def _numbered(panel: Panel) -> list[tuple[str, bytes]]:
    layers = [(f'{number}', picture) for number, picture in enumerate(panel.layers.values(), 1)]
    return layers or [('', panel.image)]


def panel_content(panel: Panel) -> dict[str, Any]:
    """What the page needs of a panel: its words, and its pictures or why there is none."""
    content: dict[str, Any] = {'key': panel.key, 'title': panel.title, 'caption': panel.caption}
    if not panel.image:
        return {**content, 'error': panel.error or 'it is empty'}
    content['layers'] = [
        {'name': name, **_picture(picture, f'{name}: {panel.alt}')}
        for name, picture in panel.layers.items()
    ]
    return content | _picture(panel.image, panel.alt)


def _picture(picture: bytes, alt: str) -> dict[str, Any]:
    # width and height stand at a fixed place of every PNG; with them the page does not jump
    width, height = struct.unpack('>II', picture[16:24])
    uri = f'data:image/png;base64,{base64.b64encode(picture).decode()}'
    return {'uri': uri, 'alt': alt, 'width': width, 'height': height}
