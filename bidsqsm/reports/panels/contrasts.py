"""The other maps: rates, concentration, weighted images, separated sources."""

from __future__ import annotations

from collections.abc import Mapping

from bidsqsm.reports.panels import field_figures
from bidsqsm.reports.panels.decompose_figures import draw_decompose
from bidsqsm.reports.panels.source_figures import draw_sources
from bidsqsm.reports.panels.spec import PanelSpec
from bidsqsm.reports.panels.swi_figures import weighted

CONTRAST_PANELS: Mapping[str, PanelSpec] = {
    'r2star': PanelSpec(
        'relaxometry',
        ('r2star',),
        'R2starmap',
        'R2*',
        'High in iron-rich nuclei and veins, and wherever the field is steep, as above the '
        'sinuses.',
        'Relaxation rate R2* in three planes of',
        field_figures.r2star,
    ),
    'r2prime': PanelSpec(
        'r2prime',
        ('r2prime',),
        'R2map',
        "R2 and R2'",
        'Top: R2 where it was given or fitted to spin echoes, which should lie on the brain of the run. '
        "Bottom: R2', what R2* has beyond it. High in iron-rich nuclei and veins; an outline of the "
        'brain or the ventricles there means that R2 lies out of place.',
        "Relaxation rates R2 and R2' in three planes of",
        field_figures.r2prime,
    ),
    'concentration': PanelSpec(
        'concentration',
        ('iron', 'gadolinium'),
        'Chimap',
        'Concentration',
        'Susceptibility on another scale: what lies beyond the baseline, explained by iron (mg/kg wet '
        'weight) or by contrast agent (mmol/L) alone. It holds in deep gray matter, or in vessels '
        'after an injection; veins, bleeds, myelin and calcium have no iron or agent of that amount.',
        'Concentration of iron or gadolinium in three planes of',
        field_figures.concentration,
    ),
    'swi': PanelSpec(
        'swi',
        ('swi',),
        'swi',
        'Susceptibility-weighted images',
        'From the top: image and minimum over a slab for a stronger field (veins and bleeds dark), '
        'then both for a weaker one (calcification dark). Patches above sinuses and ear canals are '
        'wraps that the filter left.',
        'Susceptibility-weighted images of either sign, axial, of',
        weighted('swi', 'minip', 'swi_diamagnetic', 'minip_diamagnetic'),
    ),
    'clear_swi': PanelSpec(
        'clear_swi',
        ('clear_swi',),
        'swi',
        'CLEAR-SWI',
        'Image and, below, minimum over a slab. Evenly bright from front to back; veins and iron are dark, '
        'and so is what lies above sinuses and ear canals, where the field is too steep for the '
        'filter.',
        'CLEAR-SWI and its projection, axial, of',
        weighted('clear_swi', 'clear_minip'),
    ),
    'true_swi': PanelSpec(
        'true_swi',
        ('true_swi',),
        'swi',
        'True SWI',
        'Image and, below, minimum over a slab. Veins are dark whichever way they run; streaks come from '
        'the susceptibility map.',
        'True SWI and its projection, axial, of',
        weighted('true_swi', 'true_minip'),
    ),
    'decompose': PanelSpec(
        'decompose',
        ('decompose_paramagnetic', 'decompose_diamagnetic'),
        'Chimap',
        'Sources within each voxel (DECOMPOSE)',
        'Top: paramagnetic sources, as iron, bright. Bottom: diamagnetic ones, as myelin and calcium, '
        'dark. A source of one kind alone should be blank in the other row; speckle is noise of the '
        'magnitude, and patches above the sinuses are the steep field there.',
        'Paramagnetic and diamagnetic susceptibility by DECOMPOSE in three planes of',
        draw_decompose,
    ),
    'separation': PanelSpec(
        'separation',
        ('chi_paramagnetic', 'chi_diamagnetic'),
        'Chimap',
        'Paramagnetic and diamagnetic sources',
        'Top: iron, bright in nuclei and veins, faint in white matter. Bottom: myelin and calcium, '
        'turned to positive values, bright in white matter. A structure that is bright in both beyond '
        'what its susceptibility map shows has a high rate of decay for another reason, such as a '
        'steep field above the sinuses. Where no R2 was given, R2* stands in for R2\u2032 (see the '
        'decisions): the sum of both is the susceptibility still, their size is an estimate.',
        'Paramagnetic and diamagnetic susceptibility in three planes of',
        draw_sources,
    ),
}
