"""Concentrations of iron or of contrast agent."""

from __future__ import annotations

from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits
from bidsqsm.reports.panels.spec import PanelSpec


def draw_concentration(scene: RunImages) -> bytes:
    """Iron in three planes, or gadolinium where there is no iron."""
    key = 'iron' if 'iron' in scene.products else 'gadolinium'
    _, high = robust_limits(scene.inside(scene.load(key)).values)
    return scene.three(key, (0.0, high), PRODUCTS[key].units or '')


CONCENTRATION_PANEL = PanelSpec(
    key='concentration',
    step='concentration',
    needs=('iron', 'gadolinium'),
    suffix='Chimap',
    title='Concentration',
    caption=(
        'Susceptibility on another scale: what lies beyond the baseline, explained by iron '
        '(mg/kg wet weight) or by contrast agent (mmol/L) alone. It holds in deep gray matter, '
        'or in vessels after an injection; veins, bleeds, myelin and calcium have no iron or '
        'agent of that amount.'
    ),
    alt='Concentration of iron or gadolinium in three planes of',
    draw=draw_concentration,
)
