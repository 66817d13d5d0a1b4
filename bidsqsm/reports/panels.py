"""The panels of a run's report: what each shows, from which products, and what to look for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bidsqsm.io.orientations import OrientationSet
from bidsqsm.io.run import GreRun
from bidsqsm.reports import drawings
from bidsqsm.reports.anatomy import draw_regions
from bidsqsm.reports.decompose import draw_decompose
from bidsqsm.reports.drawings import CHI, LOCAL
from bidsqsm.reports.scene import Scene
from bidsqsm.reports.sources import draw_sources
from bidsqsm.reports.values import draw_values
from bidsqsm.reports.veins import draw_veins
from bidsqsm.reports.weighted import weighted

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Panel:
    """A picture with its words; ``error`` stands in for a picture that could not be made."""

    key: str
    suffix: str
    title: str
    caption: str
    alt: str
    image: bytes = b''
    error: str = ''


def make_panels(run: GreRun, products: Mapping[str, Path]) -> list[Panel]:
    """Draw every panel whose products are there, in the order of the processing.

    A panel that fails carries the error in place of the picture; the others are
    drawn all the same. A panel that has nothing to show is left out.
    """
    scene = Scene(run, products)
    panels = []
    for key, kind in _KINDS.items():
        if not any(need in products for need in kind.needs) and kind.needs:
            continue
        if isinstance(run, OrientationSet) and not kind.needs:
            continue  # what is stored is shown with each of its runs
        image, error = b'', ''
        try:
            image = kind.make(scene)
        except Exception as problem:  # noqa: BLE001, whatever breaks a picture, the page stays
            LOGGER.warning('%s: the figure "%s" failed: %s', run.name, kind.title, problem)
            error = f'{type(problem).__name__}: {problem}'
        if not (image or error):
            continue  # nothing to show: no region was found
        panels.append(
            Panel(
                key, kind.suffix, kind.title, kind.caption, f'{kind.alt} {run.name}.', image, error
            )
        )
    return panels


@dataclass(frozen=True)
class _Kind:
    """A panel: drawn where any of the products it needs is there, or always if it needs none."""

    needs: tuple[str, ...]
    suffix: str
    title: str
    caption: str
    alt: str
    make: Callable[[Scene], bytes]


_KINDS: Mapping[str, _Kind] = {
    'magnitude': _Kind(
        (),
        'MEGRE',
        'Magnitude',
        'As stored, first, middle and last echo at one brightness. The signal should fade evenly; '
        'black holes above sinuses and ear canals grow with the echo time, ghosts tell of motion.',
        'Axial magnitude images of three echoes of',
        drawings.magnitude,
    ),
    'phase': _Kind(
        (),
        'MEGRE',
        'Phase before and after preparation',
        'Top: as stored. Bottom: in radians, receive offset removed. Fringes should be closed or '
        'end at the rim; a fringe that ends inside the brain is a singularity of the coil '
        'combination.',
        'Axial phase images of three echoes, before and after preparation, of',
        drawings.phase,
    ),
    'unwrapped': _Kind(
        ('unwrapped',),
        'MEGRE',
        'Unwrapped phase',
        'Smooth inside the brain and growing in proportion to the echo time. A sharp edge that '
        'follows no anatomy is a jump of 2π that was missed.',
        'Axial unwrapped phase of three echoes of',
        drawings.unwrapped,
    ),
    'total': _Kind(
        ('total_field',),
        'fieldmap',
        'Total field',
        'The fit over all echoes, in ppm of the main field. The air of sinuses and ear canals '
        'dominates; tissue is a faint texture on top.',
        'Total field in three planes of',
        drawings.total_field,
    ),
    'fat': _Kind(
        ('fat_fraction',),
        'probseg',
        'Fat fraction',
        'Bright in scalp, neck and marrow, dark in the brain. A patch that is bright where tissue '
        'is watery, or dark amid fat, with a sharp edge that follows no anatomy, is a swap of '
        'water and fat: the field is wrong there.',
        'Fat fraction in three planes of',
        drawings.fat,
    ),
    'mask': _Kind(
        ('brain_mask', 'qsm_mask'),
        'mask',
        'Masks',
        'The outline should follow the brain, cerebellum and brain stem included. Where brain and '
        'susceptibility part, phase was too unreliable, or too near the edge, for a susceptibility. '
        'What the masks were made from is outlined below them, as far as it was used.',
        'Outlines of the masks on the magnitude in three planes of',
        drawings.masks,
    ),
    'registered': _Kind(
        ('registered',),
        'T2starw',
        'Orientations on one grid',
        'Magnitude of each orientation, brought onto the first. Ventricles and the rim of the brain '
        'should lie in the same place in every row, with respect to the outline.',
        'Registered magnitudes in three planes of',
        drawings.registered,
    ),
    'local': _Kind(
        ('local_field',),
        'fieldmap',
        'Local field',
        'The field of the tissue alone. Veins and nuclei show as dipoles, bright and dark side by '
        'side; a slow gradient towards the edge is background that was left.',
        'Local field in three planes of',
        lambda scene: scene.three('local_field', LOCAL, 'ppm'),
    ),
    'chi': _Kind(
        ('chi',),
        'Chimap',
        'Susceptibility',
        'Iron-rich nuclei and veins are bright (paramagnetic), calcium and myelin dark '
        '(diamagnetic). Nuclei darker than white matter would mean a phase of the wrong sign.',
        'Susceptibility map in three planes, from -0.1 to 0.1 ppm, of',
        lambda scene: scene.three('chi', CHI, 'ppm'),
    ),
    'levels': _Kind(
        ('chi',),
        'Chimap',
        'Susceptibility, level by level',
        'From the cerebellum upwards: dentate nuclei, then substantia nigra and red nuclei, then '
        'pallidum, putamen and caudate. Streaks that leave a vein or a lesion are artefacts.',
        'Susceptibility map in six axial slices, from -0.1 to 0.1 ppm, of',
        drawings.levels,
    ),
    'regions': _Kind(
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
    'values': _Kind(
        ('roi_table',),
        'dseg',
        'Values of the regions',
        'Susceptibility relative to the whole brain: a mark for the mean, a thick line from the '
        '25th to the 75th percentile, a thin one from the 5th to the 95th; shaded, where means of '
        'healthy adults lie. Left and right should be much the same. A mean outside of the shade is '
        'a reason to look at the outlines above, or at the patient.',
        'Mean and spread of the susceptibility of each region, left and right, of',
        draw_values,
    ),
    'veins': _Kind(
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
    'r2star': _Kind(
        ('r2star',),
        'R2starmap',
        'R2*',
        'High in iron-rich nuclei and veins, and wherever the field is steep, as above the '
        'sinuses.',
        'Relaxation rate R2* in three planes of',
        drawings.r2star,
    ),
    'r2prime': _Kind(
        ('r2prime',),
        'R2map',
        "R2 and R2'",
        'Top: R2 where it was given or fitted to spin echoes, which should lie on the brain of the run. '
        "Bottom: R2', what R2* has beyond it. High in iron-rich nuclei and veins; an outline of the "
        'brain or the ventricles there means that R2 lies out of place.',
        "Relaxation rates R2 and R2' in three planes of",
        drawings.r2prime,
    ),
    'concentration': _Kind(
        ('iron', 'gadolinium'),
        'Chimap',
        'Concentration',
        'Susceptibility on another scale: what lies beyond the baseline, explained by iron (mg/kg wet '
        'weight) or by contrast agent (mmol/L) alone. It holds in deep gray matter, or in vessels '
        'after an injection; veins, bleeds, myelin and calcium have no iron or agent of that amount.',
        'Concentration of iron or gadolinium in three planes of',
        drawings.concentration,
    ),
    'swi': _Kind(
        ('swi',),
        'swi',
        'Susceptibility-weighted images',
        'From the top: image and minimum over a slab for a stronger field (veins and bleeds dark), '
        'then both for a weaker one (calcification dark). Patches above sinuses and ear canals are '
        'wraps that the filter left.',
        'Susceptibility-weighted images of either sign, axial, of',
        weighted('swi', 'minip', 'swi_diamagnetic', 'minip_diamagnetic'),
    ),
    'clear_swi': _Kind(
        ('clear_swi',),
        'swi',
        'CLEAR-SWI',
        'Image and, below, minimum over a slab. Evenly bright from front to back; veins and iron are dark, '
        'and so is what lies above sinuses and ear canals, where the field is too steep for the '
        'filter.',
        'CLEAR-SWI and its projection, axial, of',
        weighted('clear_swi', 'clear_minip'),
    ),
    'true_swi': _Kind(
        ('true_swi',),
        'swi',
        'True SWI',
        'Image and, below, minimum over a slab. Veins are dark whichever way they run; streaks come from '
        'the susceptibility map.',
        'True SWI and its projection, axial, of',
        weighted('true_swi', 'true_minip'),
    ),
    'decompose': _Kind(
        ('decompose_paramagnetic', 'decompose_diamagnetic'),
        'Chimap',
        'Sources within each voxel (DECOMPOSE)',
        'Top: paramagnetic sources, as iron, bright. Bottom: diamagnetic ones, as myelin and calcium, '
        'dark. A source of one kind alone should be blank in the other row; speckle is noise of the '
        'magnitude, and patches above the sinuses are the steep field there.',
        'Paramagnetic and diamagnetic susceptibility by DECOMPOSE in three planes of',
        draw_decompose,
    ),
    'separation': _Kind(
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
    'reliability': _Kind(
        ('noise', 'residual'),
        'fieldmap',
        'Noise and residual of the field',
        'Top: standard deviation of the total field. Bottom: part of the signal that the fit does '
        'not explain. Both should be low and even inside the mask; bright structures there point '
        'to flow, motion or an unwrapping error.',
        'Noise and residual of the field fit in three planes of',
        drawings.reliability,
    ),
}
