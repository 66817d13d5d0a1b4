"""All metrics of the images of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from bidsqsm.qsm.body import ADULT, Body
from bidsqsm.qsm.quality import coverage, field, local, signal, susceptibility
from bidsqsm.qsm.quality.maps import Maps
from bidsqsm.qsm.quality.metric_table import METRICS, echo_of, metric_of

#: What each measure needs, and what gives it by the keys of its metrics.
MEASURES: tuple[tuple[tuple[str, ...], Callable[[Maps], dict[str, float]]], ...] = (
    (('magnitude', 'brain_mask'), signal.snr),
    (('magnitude', 'brain_mask', 'nuclei'), signal.cnr),
    (('magnitude', 'brain_mask'), signal.echo_shift),
    (('magnitude',), signal.ghosting),
    (('magnitude', 'brain_mask'), signal.sharpness),
    (('decay_misfit', 'brain_mask'), signal.decay_misfit),
    (('quality', 'brain_mask'), field.unreliable_voxels),
    (('unwrapped', 'magnitude', 'brain_mask', 'qsm_mask'), field.wraps_left),
    (('residual', 'qsm_mask'), field.fit_residual),
    (('noise', 'qsm_mask'), field.field_noise),
    (('total_field', 'qsm_mask'), field.field_noise_seen),
    (('total_field', 'brain_mask'), field.field_range),
    (('total_field', 'qsm_mask'), field.field_gradient),
    (('brain_mask',), coverage.mask_volume),
    (('qsm_mask',), coverage.mask_roughness),
    (('magnitude', 'brain_mask'), coverage.mask_brightness),
    (('brain_mask',), coverage.mask_cut),
    (('brain_mask', 'qsm_mask'), coverage.coverage_lost),
    (('template_mask', 'brain_mask'), coverage.registration_overlap),
    (('local_field', 'qsm_mask'), local.local_field_sd),
    (('local_field', 'qsm_mask'), local.background_leakage),
    (('local_field', 'qsm_mask'), local.edge_excess),
    (('chi', 'qsm_mask'), susceptibility.chi_spread),
    (('chi', 'qsm_mask'), susceptibility.streaking),
    (('chi', 'total_field', 'qsm_mask'), susceptibility.inversion_misfit),
    (('chi', 'r2star', 'qsm_mask'), susceptibility.chi_r2star_correlation),
)


def measure(maps: Maps) -> dict[str, float]:
    """Metrics by their keys, in the order of the table; NaN where one cannot be told.

    What a run has no images for is left out.

    Parameters
    ----------
    maps
        The images of the run.

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.quality.maps import Maps
    >>> sphere = make_sphere()
    >>> found = measure(Maps(grid=sphere.grid, echo_times=(0.01,), brain_mask=sphere.mask))
    >>> round(found['mask_volume'], 1)  # ml
    29.2

    """
    found: dict[str, float] = {}
    for needs, function in MEASURES:
        if maps.has(needs):
            found |= function(maps)
    return in_order(found)


def in_order(values: Mapping[str, float]) -> dict[str, float]:
    """Bring metrics into the order of their table, echo by echo."""
    rank = {name: place for place, name in enumerate(METRICS)}
    keys = sorted(values, key=lambda key: (rank[metric_of(key).name], echo_of(key) or 0))
    return {key: values[key] for key in keys}


def in_lengths_of(body: Body, values: Mapping[str, float]) -> dict[str, float]:
    """Metrics in mm of the object, of those that were measured in mm of an adult's head.

    Examples
    --------
    >>> from bidsqsm.qsm.body import Body
    >>> in_lengths_of(Body('small-animal', 0.1), {'mask_volume': 1400.0, 'fit_residual': 0.1})
    {'mask_volume': 1.4000000000000004, 'fit_residual': 0.1}

    """
    return {key: value * body.scale ** metric_of(key).of_length for key, value in values.items()}


def alarms(values: Mapping[str, float], body: Body = ADULT) -> list[str]:
    """A sentence for each metric, in mm of the object, that no good run has."""
    said = []
    for key, value in values.items():
        found = metric_of(key)
        metric = replace(found, alarm=found.alarm * body.scale**found.of_length)
        if metric.of_brain and not body.has_brain:
            continue
        if math.isfinite(value) and metric.alarming(value):
            shown = f'{value:.3g} {metric.unit}'.rstrip()
            said.append(
                f'{metric.alarm_text(shown)}: look at the pictures before you use the map.'
            )
    return said
