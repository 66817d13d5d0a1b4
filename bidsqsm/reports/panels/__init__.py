"""The panels of a run's report: what each shows, from which products, and what to look for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.run import GreRun
from bidsqsm.reports.drawing.figure import Pictures
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.page_order import PANELS
from bidsqsm.reports.panels.spec import Panel, PanelSpec

LOGGER = logging.getLogger(__name__)


def make_panels(
    run: GreRun, products: Mapping[str, Path], decisions: RunFacts | None = None
) -> list[Panel]:
    """Draw every panel whose products are there, in the order of the page.

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
    panels = (_panel(scene, spec) for spec in PANELS if there.intersection(spec.needs))
    return [panel for panel in panels if panel.image or panel.error]


def _panel(scene: RunImages, spec: PanelSpec) -> Panel:
    words = (spec.key, spec.suffix, spec.title)
    alt = f'{spec.alt} {scene.run.name}.'
    try:
        picture = spec.draw(scene)
    except Exception as problem:  # noqa: BLE001, whatever breaks a picture, the page stays
        LOGGER.warning('%s: the figure "%s" failed: %s', scene.run.name, spec.title, problem)
        return Panel(
            *words,
            spec.caption,
            alt,
            error=f'{type(problem).__name__}: {problem}',
            heading=spec.heading,
        )
    if not isinstance(picture, Pictures):
        return Panel(*words, spec.caption, alt, picture, heading=spec.heading)
    images = [*picture.layers.values()]
    layers = picture.layers if len(images) > 1 else {}
    return Panel(
        *words,
        f'{spec.caption} {picture.note}'.rstrip(),
        alt,
        images[0],
        layers=layers,
        heading=spec.heading,
    )
