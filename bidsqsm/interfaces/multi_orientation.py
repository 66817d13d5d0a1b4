"""Registration of the orientations of a head, and their joint inversion, as Nipype interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nipype.interfaces.base import File, traits

from bidsqsm.facts.inversion_facts import JointFacts
from bidsqsm.interfaces.step_interface import (
    StepInputSpec,
    StepInterface,
    StepOutputSpec,
    affine_of,
    convergence,
    not_converged,
    read_mask,
    read_volume,
)
from bidsqsm.interfaces.weights import inverse_noise
from bidsqsm.qsm.grid import Mask, Matrix
from bidsqsm.qsm.iteration import watched
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.joint.orientations import Orientation, angles, brought, condition_number
from bidsqsm.qsm.registration.body_lengths import rescaled
from bidsqsm.qsm.registration.rigid import register_rigid

SIMILAR_DEGREES = 10.0  # between two orientations, which then tell little more than one
POOR_CONDITION_NUMBER = 12.0  # of three orientations 10 degrees apart
MASK_OVERLAP = 0.85  # of the masks; a brain mask of another orientation may differ at its rim


class _RegisterHeadInputSpec(StepInputSpec):
    fixed = File(exists=True, mandatory=True, desc='magnitude of the reference')
    moving = File(exists=True, mandatory=True, desc='magnitude of another orientation')
    fixed_mask = File(exists=True, mandatory=True, desc='brain mask of the reference')
    moving_mask = File(exists=True, mandatory=True, desc='brain mask of the other orientation')


class _RegisterHeadOutputSpec(StepOutputSpec):
    motion = File(
        exists=True, desc='4 x 4 matrix, world mm of the reference to those of the other'
    )


class RegisterHead(StepInterface):
    """Find the rigid motion of a head between two orientations."""

    input_spec = _RegisterHeadInputSpec
    output_spec = _RegisterHeadOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        fixed, moving = self.inputs.fixed, self.inputs.moving
        masks = read_mask(self.inputs.fixed_mask), read_mask(self.inputs.moving_mask)
        with threads(self.inputs.num_threads):
            motion = register_rigid(
                read_volume(fixed),
                read_volume(moving),
                *masks,
                self.affine(fixed),
                self.affine(moving),
            )
        path = Path(runtime.cwd, 'motion.txt')
        np.savetxt(path, rescaled(motion, self.body.scale), fmt='%.9f')
        self._results['motion'] = str(path)
        return runtime


class _InvertJointlyInputSpec(StepInputSpec):
    names = traits.List(
        traits.Str, mandatory=True, desc='of the orientations, the reference first'
    )
    local_fields = traits.List(File(exists=True), mandatory=True, desc='in ppm')
    masks = traits.List(File(exists=True), mandatory=True, desc='where each field is trusted')
    noises = traits.List(File(exists=True), mandatory=True, desc='of each field, in ppm')
    magnitudes = traits.List(File(exists=True), mandatory=True, desc='shown after registration')
    motions = traits.List(File(exists=True), mandatory=True, desc='of all but the reference')
    method = traits.Str(mandatory=True, desc='choice from the catalogue, e.g. cosmos:weight=0.01')


class _InvertJointlyOutputSpec(StepOutputSpec):
    chi = File(exists=True, desc='susceptibility, in ppm, not yet referenced')
    mask = File(exists=True, desc='voxels that are trusted in all orientations')
    registered = File(exists=True, desc='magnitudes on the grid of the reference')


class InvertJointly(StepInterface):
    """Turn the local fields of several orientations into one susceptibility map."""

    input_spec = _InvertJointlyInputSpec
    output_spec = _InvertJointlyOutputSpec

    def _run_interface(self, runtime: Any) -> Any:
        invert, reference = self.choice('joint'), self.inputs.local_fields[0]
        motions = [np.eye(4), *(np.loadtxt(path) for path in self.inputs.motions)]
        with threads(self.inputs.num_threads), watched() as endings:
            found = [self._brought(index, motion) for index, motion in enumerate(motions)]
            fields, masks, weights, magnitudes, directions = (
                list(x) for x in zip(*found, strict=True)
            )
            chi = invert(fields, masks, self.grid(reference), directions, weight_maps=weights)
        mask = np.logical_and.reduce(masks)
        self.save(runtime, reference, chi=chi, mask=mask, registered=np.stack(magnitudes))
        facts = facts_of(self.inputs.names, directions, motions)
        shares = overlap(self.inputs.names, masks)
        self._results['facts'] = replace(
            facts,
            overlap=tuple(shares),
            convergence=convergence(endings),
            warnings=(
                *facts.warnings,
                *apart(self.inputs.names, shares),
                *not_converged(endings),
            ),
        )
        return runtime

    def _brought(self, index: int, motion: Matrix) -> tuple[Any, ...]:
        """Field, mask, weights, magnitude and field direction on the grid of the reference."""
        path, mask = self.inputs.local_fields[index], read_mask(self.inputs.masks[index])
        weights = inverse_noise(read_volume(self.inputs.noises[index]), mask)
        magnitude = read_volume(self.inputs.magnitudes[index])
        own = Orientation(read_volume(path), mask, weights, magnitude, affine_of(path))
        reference = self.inputs.local_fields[0]
        return brought(own, motion, self.grid(reference).shape, affine_of(reference))


def facts_of(names: list[str], directions: list[Any], motions: Sequence[Matrix]) -> JointFacts:
    """How the head was turned, and warnings where that does not determine the map well."""
    pairs = [f'{a} and {b}' for i, a in enumerate(names) for b in names[i + 1 :]]
    between, condition = angles(directions), condition_number(directions)
    warnings = [
        f'The main field of {pair} differs by {angle:.0f} degrees only, expected {SIMILAR_DEGREES:.0f} or '
        'more: they count as little more than one orientation.'
        for pair, angle in zip(pairs, between, strict=True)
        if angle < SIMILAR_DEGREES
    ]
    if condition > POOR_CONDITION_NUMBER:
        warnings.append(
            f'The orientations determine the susceptibility poorly (condition number '
            f'{condition:.0f}, expected {POOR_CONDITION_NUMBER:.0f} at most): look for streaks; turn the head about two '
            'axes, by 15 degrees or more each.'
        )
    return JointFacts(
        orientations=tuple(names),
        angles=tuple(round(angle, 2) for angle in between),
        condition_number=round(condition, 2),
        b0_directions=tuple(tuple(round(float(x), 5) for x in b) for b in directions),
        rotations=tuple(round(_degrees(motion), 2) for motion in motions),
        warnings=tuple(warnings),
    )


def overlap(names: list[str], masks: list[Mask]) -> list[float]:
    """Share of the reference's mask that each mask covers once it is registered."""
    shares = [round(float((masks[0] & m).sum() / max(masks[0].sum(), 1)), 4) for m in masks]
    for name, share in zip(names, shares, strict=True):
        if share < MASK_OVERLAP / 2:
            raise ValueError(
                f'{name} covers {100 * share:.0f} % of the mask of {names[0]} after registration, '
                f'expected {100 * MASK_OVERLAP:.0f} % or more: the registration failed; leave this run out'
            )
    return shares


def apart(names: list[str], shares: list[float]) -> list[str]:
    """A warning for each mask that covers too little of the reference's."""
    return [
        f'{name} covers {100 * share:.0f} % of the mask of {names[0]}, expected '
        f'{100 * MASK_OVERLAP:.0f} % or more: look at its registration and its mask.'
        for name, share in zip(names, shares, strict=True)
        if share < MASK_OVERLAP
    ]


def _degrees(motion: Matrix) -> float:
    cos = (np.trace(motion[:3, :3]) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cos, -1, 1))))
