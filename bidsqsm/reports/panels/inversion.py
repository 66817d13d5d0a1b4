"""The susceptibility: slices, histograms, and how it was found."""

from __future__ import annotations

from collections.abc import Mapping

from bidsqsm.reports.panels.chi_figures import CHI, draw_extremes, draw_levels, draw_mosaic
from bidsqsm.reports.panels.convergence import draw_convergence
from bidsqsm.reports.panels.histograms import draw_histograms
from bidsqsm.reports.panels.spec import PanelSpec

SUSCEPTIBILITY_PANELS: Mapping[str, PanelSpec] = {
    'chi': PanelSpec(
        'reference',
        ('chi',),
        'Chimap',
        'Susceptibility',
        'Iron-rich nuclei and veins are bright (paramagnetic), calcium and myelin dark '
        '(diamagnetic). Nuclei darker than white matter would mean a phase of the wrong sign.',
        'Susceptibility map in three planes, from -0.1 to 0.1 ppm, of',
        lambda scene: scene.three('chi', CHI, 'ppm'),
    ),
    'levels': PanelSpec(
        'reference',
        ('chi',),
        'Chimap',
        'Susceptibility, level by level',
        'From the cerebellum upwards: dentate nuclei, then substantia nigra and red nuclei, then '
        'pallidum, putamen and caudate. Streaks that leave a vein or a lesion are artefacts.',
        'Susceptibility map in six axial slices, from -0.1 to 0.1 ppm, of',
        draw_levels,
    ),
    'chimosaic': PanelSpec(
        'reference',
        ('chi',),
        'Chimap',
        'Susceptibility, from end to end',
        'Slices at equal distances: axial from the bottom up, coronal from back to front, sagittal '
        'from left to right. Contrast should be alike everywhere; look for streaks through many '
        'slices, bands near top and bottom, and a bright or dark rim.',
        'Susceptibility map in axial, coronal and sagittal slices, from -0.1 to 0.1 ppm, of',
        draw_mosaic,
    ),
    'vessels': PanelSpec(
        'reference',
        ('chi',),
        'Chimap',
        'Veins and calcifications',
        'The susceptibility from -0.5 to 0.5 ppm, where neither veins nor small calcifications are '
        'cut off. Top: the highest value along the line of sight, which joins veins to lines; a '
        'bright spot that is part of none may be a microbleed. Bottom: the lowest; a dark spot is '
        'calcium. A dark halo about a bright spot, or the reverse, is an artefact.',
        'Highest and lowest susceptibility in slabs in three planes, from -0.5 to 0.5 ppm, of',
        draw_extremes,
    ),
    'histograms': PanelSpec(
        'quality',
        ('chi', 'local_field', 'r2star', 'noise'),
        'MEGRE',
        'Histograms',
        'Voxels inside the mask of the susceptibility; the line is the median. Susceptibility should '
        'lie within some tens of ppb of zero, white matter below gray, with a thin tail of veins and '
        'nuclei to the right; the local field evenly to both sides of zero. Wide or lopsided ones '
        'tell of background or wraps, a second peak of the noise of a mask that is too large.',
        'Histograms of susceptibility, local field, R2* and noise inside the mask of',
        draw_histograms,
    ),
    'convergence': PanelSpec(
        'quality',
        ('decisions',),
        'Chimap',
        'Convergence',
        'What each iteration measured after every step, such as the relative change of the map, on a '
        'logarithmic scale; dashed, where it may stop. It should fall steadily and end at the dashed '
        'line; one that ends above it, or goes up and down, has not settled.',
        'Curves of the convergence of the iterations of',
        draw_convergence,
    ),
}
