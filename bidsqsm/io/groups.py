"""What ``--products`` chooses between: products that are made, and left out, together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Products of one name.

    Attributes
    ----------
    title
        What they are, for the help and the documentation.
    workflows
        Workflows of a run that make them.
    step
        Step of the catalogue that only they need, or ''.

    """

    title: str
    workflows: tuple[str, ...]
    step: str = ''


#: In the order in which they are listed.
GROUPS: Mapping[str, Group] = {
    'qsm': Group(
        'susceptibility and local field, with regions of atlases and output spaces',
        (
            *('background_wf', 'dipole_wf', 'onestep_wf', 'passes_wf', 'reference_wf'),
            *('anatomical_wf', 'alignment_wf', 'rois_wf', 'spaces_wf', 'overlay_wf'),
        ),
    ),
    'r2star': Group('R2*, T2* and S0', ('relaxometry_wf',)),
    'r2prime': Group(
        "R2', T2' and R2, where R2 is given or spin echoes are there", ('r2prime_wf',)
    ),
    'concentration': Group(
        'iron, or a contrast agent, from susceptibility', ('concentration_wf',), 'concentration'
    ),
    'swi': Group('susceptibility-weighted images, either sign', ('swi_wf',), 'swi'),
    'clear-swi': Group('CLEAR-SWI', ('clear_swi_wf',), 'clear_swi'),
    'true-swi': Group('true SWI, from the susceptibility', ('true_swi_wf',), 'true_swi'),
    'oxygenation': Group(
        'veins, with venous oxygen saturation and oxygen extraction fraction',
        ('oxygenation_wf',),
        'oxygenation',
    ),
    'decompose': Group(
        'paramagnetic and diamagnetic susceptibility by DECOMPOSE, from four echoes or more',
        ('decompose_wf',),
        'decompose',
    ),
    'separation': Group(
        'paramagnetic and diamagnetic susceptibility', ('separation_wf',), 'separation'
    ),
}
DEFAULT_GROUPS = ('qsm', 'r2star')


def idle_steps(wanted: Iterable[str]) -> set[str]:
    """Steps of the catalogue that no group of these needs, though another one does."""
    wanted = set(wanted)
    return {group.step for name, group in GROUPS.items() if group.step and name not in wanted}
