"""The viewer of a run: a page that a person scrolls through, with its volumes inside."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bidsqsm import __version__
from bidsqsm.files.atomic import write_text
from bidsqsm.inputs.names import anchor, viewer_name
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.html import digest, environment, packaged, safe
from bidsqsm.reports.viewer.encoding import described
from bidsqsm.reports.viewer.layers import carry

LOGGER = logging.getLogger(__name__)

#: The page's own scripts, in the order in which they are put together
_SCRIPTS = (
    'volumes',
    'geometry',
    'overlays',
    'plain',
    'accelerated',
    'words',
    'view',
    'windows',
    'drawing',
    'pointer',
    'keys',
    'controls',
)
_NIIVUE = 'data/vendor/niivue/niivue.umd.js'


def viewer_path(run: GreRun | Skipped, figures: Path) -> Path:
    """Where the viewer of a run lies among the figures of its subject."""
    return figures / viewer_name(run.name)


def write_viewer(
    run: GreRun | Skipped, products: Mapping[str, Path], figures: Path
) -> Path | None:
    """Write the viewer of a run, if it has something to show.

    Parameters
    ----------
    run
        The run.
    products
        Its NIfTI files by their key.
    figures
        Folder of the subject's figures.

    Returns
    -------
    path
        The page, or ``None`` where there is none: nothing to show, or it could not be made. An
        older one is removed then, which would show other maps than the report.

    """
    path = viewer_path(run, figures)
    page = ''
    if isinstance(run, GreRun):
        try:
            page = render_viewer(run, products)
        except Exception as problem:  # noqa: BLE001, whatever breaks the viewer, the report stays
            LOGGER.warning('%s: the viewer failed: %s', run.name, problem)
    if page:
        return write_text(path, page)
    path.unlink(missing_ok=True)
    return None


def render_viewer(run: GreRun, products: Mapping[str, Path]) -> str:
    """Fill the page; nothing where the run has no map."""
    scene = RunImages(run, products)
    layers = carry(scene)
    if layers is None or not layers.maps:
        return ''
    start = [int(a - b) for a, b in zip(scene.look.at, layers.frame.start, strict=True)]
    about = {
        **described(layers.frame),
        'start': [min(max(at, 0), n - 1) for at, n in zip(start, layers.frame.size, strict=True)],
        'maps': [item.about for item in layers.maps],
        'masks': [item.about for item in layers.masks],
        'regions': layers.regions and layers.regions.about,
    }
    parts = '\n'.join(packaged(f'reports/viewer/{name}.js') for name in _SCRIPTS)
    script = f'(() => {{\n{parts}\n}})();'  # nothing of it is seen from outside
    style = f'{packaged("reports/templates/report.css")}\n{packaged("reports/viewer/viewer.css")}'
    return (
        environment()
        .get_template('viewer.html')
        .render(
            run=run.name,
            subject=f'sub-{run.entities["sub"]}',
            anchor=anchor(run.name),
            version=__version__,
            policy=_policy([script, packaged(_NIIVUE)], style),
            style=safe(style),
            script=safe(script),
            about=safe(_json(about)),
            layers=layers,
            niivue=_niivue(),
        )
    )


def _policy(scripts: Sequence[str], style: str) -> str:
    """What the page may do: run these scripts, have this style, show pictures made in it."""
    allowed = ' '.join(digest(script) for script in scripts)
    return f"default-src 'none'; script-src {allowed}; style-src {digest(style)}; img-src data:"


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False).replace('<', '\\u003c')


@cache
def _niivue() -> str:
    # half the bytes; the page unpacks it where the browser can draw with it
    return base64.b64encode(gzip.compress(packaged(_NIIVUE).encode(), 9, mtime=0)).decode()
