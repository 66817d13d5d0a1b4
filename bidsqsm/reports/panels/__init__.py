"""The panels of a run's report: what each shows, from which products, and what to look for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.run import GreRun
from bidsqsm.reports.drawing.figure import Drawn
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.acquisition import ACQUISITION_PANELS
from bidsqsm.reports.panels.anatomy import ANATOMY_PANELS
from bidsqsm.reports.panels.contrasts import CONTRAST_PANELS
from bidsqsm.reports.panels.inversion import SUSCEPTIBILITY_PANELS
from bidsqsm.reports.panels.spec import Panel, PanelSpec

LOGGER = logging.getLogger(__name__)

#: In the order of the page.
PANELS: Mapping[str, PanelSpec] = {
    **ACQUISITION_PANELS,
    **SUSCEPTIBILITY_PANELS,
    **ANATOMY_PANELS,
    **CONTRAST_PANELS,
}


def make_panels(
    run: GreRun, products: Mapping[str, Path], decisions: RunFacts | None = None
) -> list[Panel]:
    """Draw every panel whose products are there, in the order of the processing.

    A panel that fails carries the error in place of the picture; the others are
    drawn all the same. A panel that has nothing to show is left out.

    Parameters
    ----------
    run
        The run.
    products
        Its files by their key.
    decisions
        What its steps decided; see :func:`bidsqsm.derivatives.sidecars.provenance`.

    """
    scene = RunImages(run, products, decisions)
    there = {*products, 'decisions'}
    if run.own_parts:
        there |= {'stored', 'stored phase'} if run.has_phase else {'stored'}
    made = (
        _panel(scene, key, kind) for key, kind in PANELS.items() if there.intersection(kind.needs)
    )
    return [panel for panel in made if panel.image or panel.error]


def _panel(scene: RunImages, key: str, kind: PanelSpec) -> Panel:
    words = (key, kind.suffix, kind.title)
    alt = f'{kind.alt} {scene.run.name}.'
    try:
        drawn = kind.make(scene)
    except Exception as problem:  # noqa: BLE001, whatever breaks a picture, the page stays
        LOGGER.warning('%s: the figure "%s" failed: %s', scene.run.name, kind.title, problem)
        return Panel(
            *words,
            kind.caption,
            alt,
            error=f'{type(problem).__name__}: {problem}',
            heading=kind.heading,
        )
    if not isinstance(drawn, Drawn):
        return Panel(*words, kind.caption, alt, drawn, heading=kind.heading)
    pictures = [*drawn.layers.values()]
    layers = drawn.layers if len(pictures) > 1 else {}
    return Panel(
        *words,
        f'{kind.caption} {drawn.note}'.rstrip(),
        alt,
        pictures[0],
        layers=layers,
        heading=kind.heading,
    )
