"""Where things lie: registration, regions with their values, veins."""

from __future__ import annotations

from collections.abc import Mapping

from bidsqsm.reports.panels.region_outlines import draw_regions
from bidsqsm.reports.panels.region_values import draw_values
from bidsqsm.reports.panels.registration_figures import draw_edges, draw_flicker
from bidsqsm.reports.panels.spec import PanelSpec
from bidsqsm.reports.panels.vein_figures import draw_veins

ANATOMY_PANELS: Mapping[str, PanelSpec] = {
    'edges': PanelSpec(
        'registration',
        ('template_t1w',),
        'T1w',
        'Template on the run',
        'Borders of fluid and of white matter in the template, as registration places them, on the '
        'susceptibility, the magnitude and the T1w if there is one. They should follow ventricles, '
        'folds and the rim of the brain. Borders that are shifted alike on all sides mean that the '
        'registration is off; a single fold that is missed matters little for the nuclei.',
        'Borders of tissue of the template on susceptibility and magnitude in three planes of',
        draw_edges,
    ),
    'flicker': PanelSpec(
        'registration',
        ('template_t1w', 'own_t1w'),
        'T1w',
        'Registration, image by image',
        'One place in each image: choose them by turns (with the arrow keys, too) and watch '
        'ventricles, folds and the rim of the brain, which should keep still. Where run and T1w '
        'differ, the rigid registration is off; where only the template does, the deformation is.',
        'Registered images in three planes of',
        draw_flicker,
    ),
    'regions': PanelSpec(
        'roi_refine',
        ('roi_labels',),
        'dseg',
        'Regions of the atlas',
        'Outlines on the susceptibility map, if there is one, and on the magnitude, from the cerebellum '
        'upwards; left and right have the same colour. They should follow the nuclei in every row. '
        'Outlines beside a nucleus, on both sides in the same direction, mean '
        'that the registration is off; then the values are those of something else.',
        'Outlines of deep gray matter nuclei on susceptibility and magnitude, axial, of',
        draw_regions,
    ),
    'values': PanelSpec(
        'roi_refine',
        ('roi_table',),
        'dseg',
        'Values of the regions',
        'Susceptibility relative to the whole brain: a box from the 25th to the 75th percentile of '
        'the voxels with a line at the median, whiskers from the 5th to the 95th, a mark for the '
        'mean; shaded, where means of healthy adults lie. Left and right should be much the same. A '
        'mean outside of the shade is a reason to look at the outlines above, or at the patient.',
        'Boxes of the susceptibility of each region, left and right, of',
        draw_values,
    ),
    'veins': PanelSpec(
        'oxygenation',
        ('vein_mask',),
        'mask',
        'Veins',
        'Highest susceptibility along the line of sight, with the outline of what was taken for '
        'veins and of their core, whose voxels hold blood alone and tell the oxygen. Nuclei, '
        'microbleeds and streaks should lie outside. A vein along the edge of the mask may be cut '
        'by it, and its saturation too high.',
        'Projections of the susceptibility map with outlines of veins, in three planes, of',
        draw_veins,
    ),
}
