"""What was measured and what was made of its phase: echoes, fields and masks."""

from __future__ import annotations

from collections.abc import Mapping

from bidsqsm.reports.panels import echo_figures, field_figures
from bidsqsm.reports.panels.mask_figures import draw_masks, draw_registered
from bidsqsm.reports.panels.spec import PanelSpec

ACQUISITION_PANELS: Mapping[str, PanelSpec] = {
    'magnitude': PanelSpec(
        'coil',
        ('stored',),
        'MEGRE',
        'Magnitude',
        'As stored, every echo at the brightness of the first. The signal should fade evenly; black '
        'holes above sinuses and ear canals grow with the echo time, ghosts tell of motion.',
        'Axial magnitude image of each echo of',
        echo_figures.magnitude,
    ),
    'phase': PanelSpec(
        'phase',
        ('stored phase',),
        'MEGRE',
        'Phase before and after preparation',
        'Top: as stored. Bottom: in radians, receive offset removed. Fringes should be closed or '
        'end at the rim; a fringe that ends inside the brain is a singularity of the coil '
        'combination.',
        'Axial phase image of each echo, before and after preparation, of',
        echo_figures.phase,
    ),
    'unwrapped': PanelSpec(
        'unwrap',
        ('unwrapped',),
        'MEGRE',
        'Unwrapped phase and wraps left in it',
        'Smooth inside the brain and growing in proportion to the echo time. Outlined in orange are '
        'both sides of a step of more than three quarters of a turn between neighbours: a sheet that '
        'follows no anatomy is a turn that was missed; a few above the sinuses, where the field is '
        'steep, matter little.',
        'Axial unwrapped phase of each echo, wraps that were left outlined, of',
        echo_figures.unwrapped,
    ),
    'total': PanelSpec(
        'field',
        ('total_field',),
        'fieldmap',
        'Total field',
        'The fit over all echoes, in ppm of the main field. The air of sinuses and ear canals '
        'dominates; tissue is a faint texture on top.',
        'Total field in three planes of',
        field_figures.total_field,
    ),
    'reliability': PanelSpec(
        'field',
        ('noise', 'residual'),
        'fieldmap',
        'Noise and residual of the field',
        'Top: standard deviation of the total field. Bottom: part of the signal that the fit does '
        'not explain. Both should be low and even inside the mask; bright structures there point '
        'to flow, motion or an unwrapping error.',
        'Noise and residual of the field fit in three planes of',
        field_figures.reliability,
    ),
    'fat': PanelSpec(
        'field',
        ('fat_fraction',),
        'probseg',
        'Fat fraction',
        'Bright in scalp, neck and marrow, dark in the brain. A patch that is bright where tissue '
        'is watery, or dark amid fat, with a sharp edge that follows no anatomy, is a swap of '
        'water and fat: the field is wrong there.',
        'Fat fraction in three planes of',
        field_figures.fat,
    ),
    'mask': PanelSpec(
        'mask',
        ('brain_mask', 'qsm_mask'),
        'mask',
        'Masks',
        'The outline should follow the brain, cerebellum and brain stem included. Where brain and '
        'susceptibility part, phase was too unreliable, or too near the edge, for a susceptibility. '
        'What the masks were made from is outlined below them, as far as it was used. On the phase, '
        'below: fringes that are closed and clean should lie within, noise and crowded fringes '
        'without.',
        'Outlines of the masks on magnitude and phase in three planes of',
        draw_masks,
    ),
    'registered': PanelSpec(
        'joint',
        ('registered',),
        'T2starw',
        'Orientations on one grid',
        'Magnitude of each orientation, brought onto the first. Ventricles and the rim of the brain '
        'should lie in the same place in every row, with respect to the outline.',
        'Registered magnitudes in three planes of',
        draw_registered,
    ),
    'local': PanelSpec(
        'background',
        ('local_field',),
        'fieldmap',
        'Local field and background',
        'Top: the field of the tissue alone. Veins and nuclei show as dipoles, bright and dark side '
        'by side; a slow gradient towards the edge is background that was left. Bottom: what was '
        'taken away, on its own scale. It should be smooth; a nucleus or a vein in it is tissue that '
        'the map lacks.',
        'Local field and background field in three planes of',
        field_figures.local_field,
    ),
}
