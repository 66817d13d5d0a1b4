"""The table of quality metrics: what each is called, its unit, its range and what it tells."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bidsqsm.qsm.quality.metric import Metric

_ECHO = re.compile(r'_echo(\d+)$')

_ROWS = (
    Metric(
        name='snr',
        title='Signal to noise',
        better='higher',
        per_echo=True,
        about='Median magnitude in the brain over the standard deviation of its noise, which is read off '
        'the finest diagonal detail of the brain. One echo that falls out of the row is noisy; images '
        'that were interpolated seem better than they are.',
    ),
    Metric(
        name='cnr',
        title='Contrast of the nuclei to noise',
        better='higher',
        per_echo=True,
        about='Difference between the median magnitude of the iron-rich nuclei and that of the tissue 2 to '
        '5 mm around them, over the noise. Grows with the echo time as iron shortens T2*. Needs the '
        'regions of an atlas.',
    ),
    Metric(
        name='echo_shift',
        title='Shift between echoes',
        unit='mm',
        better='lower',
        about='Largest displacement of the magnitude of any echo against the one before it. Motion or a '
        'readout in alternating directions moves echoes.',
    ),
    Metric(
        name='ghosting',
        title='Ghosts in the air',
        better='lower',
        about='Ratio of the 99th percentile to the median of the magnitude in the air around the head, '
        'over the 2.58 of pure noise (Rayleigh). Ghosts of motion, flow and wrap-around raise it. Not '
        'known where the air was set to zero.',
    ),
    Metric(
        name='sharpness',
        title='Sharpness',
        better='higher',
        high=1.0,
        about='Mean square of the differences between neighbours over that between every second voxel, in '
        'the combined magnitude inside the brain, less what noise makes of both. A quarter: smooth; a '
        'half: edges as sharp as the voxels. Motion and interpolation lower it.',
    ),
    Metric(
        name='decay_misfit',
        title='Misfit of the decay',
        unit='%',
        better='lower',
        high=100.0,
        about='Median over the brain of the root mean square misfit of the R2* decay, as a share of the '
        'signal at an echo time of zero. Motion between echoes and wrong echo times raise it.',
    ),
    Metric(
        name='unreliable_voxels',
        title='Unreliable phase',
        unit='%',
        better='lower',
        high=100.0,
        stage='phase',
        about='Share of the brain mask where the quality of the phase is below 0.3.',
    ),
    Metric(
        name='residual_wraps',
        title='Residual wraps',
        unit='%',
        better='lower',
        high=100.0,
        stage='phase',
        alarm=0.5,
        warning='The unwrapped phase still jumps',
        about='Share of the voxels of the susceptibility mask next to which the unwrapped phase of any echo '
        'jumps by more than three quarters of a turn, where the echo has a signal of five times its noise.',
    ),
    Metric(
        name='fit_residual',
        title='Residual of the field fit',
        unit='%',
        better='lower',
        stage='field',
        about='Median over the susceptibility mask of the part of the complex signal that one field for '
        'all echoes leaves unexplained.',
    ),
    Metric(
        name='fit_residual_p95',
        title='Residual of the field fit, worst voxels',
        unit='%',
        better='lower',
        stage='field',
        about='95th percentile of the same: flow, motion, wraps that differ from echo to echo.',
    ),
    Metric(
        name='field_noise',
        title='Noise of the field',
        unit='ppb',
        better='lower',
        stage='field',
        about='Median over the susceptibility mask of the standard deviation of the total field that the fit '
        'predicts.',
    ),
    Metric(
        name='field_noise_seen',
        title='Noise seen in the field',
        unit='ppb',
        better='lower',
        stage='field',
        about='Noise read off the finest diagonal detail of the total field in the mask. Far above the '
        'predicted noise: an error that the fit does not know of; far below: smoothed images.',
    ),
    Metric(
        name='field_range',
        title='Range of the field',
        unit='ppm',
        stage='field',
        about='1st to 99th percentile of the total field in the brain mask. Poor shim and implants raise '
        'it.',
    ),
    Metric(
        name='field_gradient',
        title='Gradient of the field',
        unit='ppb/mm',
        better='lower',
        stage='field',
        about='95th percentile of the gradient of the total field in the susceptibility mask: dephasing and '
        'wraps that are hard to undo.',
    ),
    Metric(
        name='mask_volume',
        title='Volume of the brain mask',
        unit='ml',
        stage='mask',
        about='A brain with cerebellum and brain stem has 1000 to 1700 ml in adults.',
    ),
    Metric(
        name='mask_roughness',
        title='Roughness of the mask',
        better='lower',
        stage='mask',
        low=-1.0,
        about='How much larger the surface of the susceptibility mask is than that of the same mask '
        'smoothed over 4 mm. Holes, bites and frayed rims raise it.',
    ),
    Metric(
        name='mask_dark',
        title='Dark voxels in the mask',
        unit='%',
        better='lower',
        high=100.0,
        stage='mask',
        about='Share of the brain mask with less than a quarter of its median magnitude: air, bone and '
        'vessels that a mask which is too large takes in.',
    ),
    Metric(
        name='mask_missed',
        title='Tissue just outside the mask',
        unit='%',
        better='lower',
        high=100.0,
        stage='mask',
        about='Share of the voxels up to 3 mm outside the brain mask that are as bright as the tissue just '
        'inside it (more than 0.8 of its median). High where a mask cuts through the brain.',
    ),
    Metric(
        name='mask_cut',
        title='Brain at the edge of the image',
        unit='%',
        better='lower',
        high=100.0,
        stage='mask',
        about='Share of the surface of the brain mask that lies on a face of the image: a slab, or a head '
        'that slipped out of the field of view.',
    ),
    Metric(
        name='lost_to_phase',
        title='Lost to unreliable phase',
        unit='%',
        better='lower',
        high=100.0,
        stage='mask',
        about='Share of the brain mask that is left out before the background is removed.',
    ),
    Metric(
        name='lost_to_background',
        title='Lost to background removal',
        unit='%',
        better='lower',
        high=100.0,
        stage='mask',
        about='Share of the brain mask that is lost at the rim from then on.',
    ),
    Metric(
        name='registration_overlap',
        title='Overlap with the template',
        better='higher',
        high=1.0,
        stage='mask',
        alarm=0.85,
        warning='The brain of the run and that of the template, carried over, differ',
        about='Dice coefficient of the brain as the magnitude shows it and the brain of the template, carried '
        'over by registration.',
    ),
    Metric(
        name='local_field_sd',
        title='Spread of the local field',
        unit='ppb',
        stage='local',
        about='Standard deviation of the local field in the mask.',
    ),
    Metric(
        name='background_leakage',
        title='Background left',
        unit='%',
        better='lower',
        high=100.0,
        stage='local',
        about='Share of the variance of the local field that solid harmonics up to the sixth degree '
        'explain: sources inside the mask make next to no such field, sources outside nothing else.',
    ),
    Metric(
        name='unexplained_field',
        title='Field that the model cannot explain',
        unit='%',
        better='lower',
        high=100.0,
        stage='local',
        about='Share of the power of the local field that no susceptibility makes, as the cone shows it '
        'where the dipole kernel vanishes: noise, motion, what is left of the background, and what '
        'fibres do to the field. In a map made in one step it is that of the total field less a first '
        'removal of the background.',
    ),
    Metric(
        name='edge_excess',
        title='Excess at the rim',
        better='lower',
        stage='local',
        about='Root mean square of the local field within 4 mm of the rim of the mask, over that further '
        'inside.',
    ),
    Metric(
        name='chi_sd',
        title='Spread of susceptibility',
        unit='ppb',
        stage='chi',
        about='Standard deviation of the map in its mask.',
    ),
    Metric(
        name='chi_noise',
        title='Noise seen in susceptibility',
        unit='ppb',
        better='lower',
        stage='chi',
        about='Noise read off the finest diagonal detail of the map. Next to none: over-regularised.',
    ),
    Metric(
        name='streaking',
        title='Streaking',
        better='lower',
        stage='chi',
        about='Energy of the map near the cone where the dipole kernel vanishes (below 0.1), over that of '
        'the other directions at the same spatial frequency (0.02 to 0.3 per mm). Above one: streaks; '
        'far below: the cone is empty.',
    ),
    Metric(
        name='inversion_misfit',
        title='Misfit of the inversion',
        unit='%',
        better='lower',
        stage='chi',
        about='What the field of the map leaves of the total field, both less their mean over spheres of 5 '
        'mm, which takes off whatever comes from outside; root mean squares in the mask less 5 mm.',
    ),
    Metric(
        name='misfit_to_noise',
        title='Misfit over noise',
        stage='chi',
        about='The same misfit over what the noise of the field alone would leave. Near one: fitted down '
        'to the noise; far above: a wrong model, such as a tilt that was ignored; far below: noise was '
        'fitted.',
    ),
    Metric(
        name='chi_r2star_correlation',
        title='Susceptibility against R2*',
        better='higher',
        low=-1.0,
        high=1.0,
        stage='chi',
        alarm=0.0,
        of_brain=True,
        warning='Susceptibility falls where R2* rises, which points to a phase of the wrong sign',
        about='Rank correlation of susceptibility and R2* over the fiftieth of the mask, less 6 mm of its '
        'rim, that stands out of its surroundings in R2* most. Iron raises both: below zero, the sign of '
        'the phase is wrong.',
    ),
    Metric(
        name='nuclei_asymmetry',
        title='Asymmetry of the nuclei',
        unit='ppb',
        better='lower',
        stage='regions',
        about='Median over the nuclei of the difference of the mean susceptibility between left and right.',
    ),
    Metric(
        name='nuclei_in_range',
        title='Nuclei in the published range',
        unit='%',
        better='higher',
        high=100.0,
        stage='regions',
        alarm=50.0,
        warning='Few nuclei have a susceptibility in the published range of healthy adults',
        about='Share of the nuclei with a published range whose mean lies in it. Echo times or a field '
        'strength that are wrong throughout, a wrong sign and misplaced regions lower it.',
    ),
    Metric(
        name='nuclei_coverage',
        title='Coverage of the nuclei',
        unit='%',
        better='higher',
        high=100.0,
        stage='regions',
        about='Share of the worst covered nucleus that has a susceptibility.',
    ),
)

#: By name, in the order of the processing.
METRICS: Mapping[str, Metric] = {row.name: row for row in _ROWS}


def metric_of(key: str) -> Metric:
    """The metric of a key, with or without the number of an echo.

    Raises
    ------
    KeyError
        Where there is none.

    Examples
    --------
    >>> metric_of('snr_echo3').title
    'Signal to noise'

    """
    return METRICS[_ECHO.sub('', key)]


def is_metric(key: str) -> bool:
    """Whether :func:`metric_of` knows a key."""
    return _ECHO.sub('', key) in METRICS


def echo_of(key: str) -> int | None:
    """Number of the echo at the end of a key, None where it has none."""
    found = _ECHO.search(key)
    return int(found[1]) if found else None
