"""Mask of a template."""

from __future__ import annotations

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.masking.head_mask import head_mask
from bidsqsm.qsm.masking.mask_result import Masks
from bidsqsm.qsm.masking.morphology import fill_holes, largest_component


def template(magnitude: Volume, *, template_mask: Mask | None = None) -> Masks:
    """Brain mask of a template, carried to the run by registration.

    The label of a reference head is propagated to the subject [heckemann2006]_. It is taken
    wherever there is signal, neither trimmed nor grown: its edge is as good as the registration.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    template_mask : (nx, ny, nz) bool array
        Brain of the template on the grid of the run.

    Returns
    -------
    masks
        The brain, which is also the QSM mask.

    References
    ----------
    .. [heckemann2006] Heckemann et al., NeuroImage 33:115-126 (2006).
       doi:10.1016/j.neuroimage.2006.05.061

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> magnitude = sphere.echoes((0.01,)).magnitude
    >>> masks = template(magnitude, template_mask=sphere.mask)
    >>> int(masks.brain.sum()) == int(sphere.mask.sum())
    True

    """
    if template_mask is None:
        raise ValueError(
            '--mask template needs an atlas, whose template has a brain mask to carry over: ask '
            'for one with --atlases'
        )
    brain = fill_holes(largest_component(template_mask & head_mask(magnitude)))
    return Masks(brain, brain.copy(), template=template_mask)
