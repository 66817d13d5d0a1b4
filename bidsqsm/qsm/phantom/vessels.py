"""The venous tree and small lesions, as chains of capsules in template mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.head_anatomy import CHANNELS, Anatomy, Subject
from bidsqsm.qsm.resampling import values_at

#: Large veins and sinuses: points (mm) and radius (mm); those with x > 0 have a twin on the left
_MAIN = (
    (
        ((0, -38, 8), (0, -44, 4), (0, -62, -6), (0, -82, -17), (0, -96, -20)),
        1.6,
    ),  # straight sinus
    (
        ((2.2, 2, 9), (2.0, -10, 13), (2.0, -24, 13), (1.2, -33, 10), (0, -38, 8)),
        1.0,
    ),  # internal cerebral
    (
        ((9, 0, -17), (14, -12, -14), (17, -22, -8), (13, -32, -2), (5, -38, 4), (0, -38, 8)),
        0.8,
    ),  # Rosenthal
    (((5, 24, 10), (3.5, 12, 12), (2.2, 2, 9)), 0.6),  # septal
    (((17, -14, 20), (14, -2, 17), (9, 3, 12), (2.2, 2, 9)), 0.6),  # thalamostriate
    (
        ((0, -97, -20), (22, -92, -22), (44, -78, -26), (57, -58, -30), (55, -46, -40)),
        3.5,
    ),  # transverse
)


@dataclass(frozen=True)
class Lesion:
    """A small ball: centre (template mm), radius (mm) and kind, a name of the tissue table."""

    centre: tuple[float, float, float]
    radius: float
    kind: str


def veins(anatomy: Anatomy, subject: Subject) -> Volume:
    """Every vein as capsules (n, 8): both ends (template mm) and both radii (mm)."""
    random = subject.random(2)
    chains: list[tuple[Volume, float]] = []
    for points, radius in _MAIN:
        nodes = np.array(points, float)
        thick = radius * (1 + 0.08 * random.standard_normal())
        chains.append((nodes, thick))
        if nodes[:, 0].max() > 0:
            chains.append((nodes * (-1, 1, 1), thick * (1 + 0.08 * random.standard_normal())))
    surface = _Surface(anatomy)
    sagittal = surface.sagittal_sinus()
    chains.append((sagittal, 3.0))
    for side in (-1, 1):
        for start in np.linspace(0.12, 0.9, 9):
            root = sagittal[int(start * (len(sagittal) - 1))]
            chains.append((surface.cortical(root, side, random), random.uniform(0.6, 1.1)))
    chains.extend(_medullary(surface, random))
    return np.concatenate([capsules_of(nodes, radius) for nodes, radius in chains])


def lesions(anatomy: Anatomy, subject: Subject, microbleeds: int = 3) -> list[Lesion]:
    """A calcified pineal gland and choroid plexus, and a few microbleeds in white matter."""
    random = subject.random(3)
    surface = _Surface(anatomy)
    found = [
        Lesion((0.0, -30.0, 3.0), float(random.uniform(1.8, 2.4)), 'calcification'),
        Lesion((24.0, -42.0, 9.0), float(random.uniform(1.4, 2.0)), 'calcification'),
    ]
    for _ in range(microbleeds):
        centre = surface.somewhere_white(random)
        found.append(Lesion(centre, float(random.uniform(1.0, 1.8)), 'microbleed'))
    return found


class _Surface:
    """Walks along the brain's surface by its distance map."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.affine = anatomy.affine
        self.inverse = np.linalg.inv(anatomy.affine)
        self.distance = anatomy.maps[..., CHANNELS.index('distance')]
        self.white = anatomy.maps[..., CHANNELS.index('white')]

    def at(self, points: Volume, volume: Volume | None = None) -> Volume:
        voxels = np.einsum('nj,ij->ni', points, self.inverse[:3, :3]) + self.inverse[:3, 3]
        volume = self.distance if volume is None else volume
        return values_at(volume, voxels.T)

    def slope(self, point: Volume) -> Volume:
        ends = self.at(point + 2.0 * np.eye(3)) - self.at(point - 2.0 * np.eye(3))
        return np.asarray(ends / max(float(np.linalg.norm(ends)), 1e-6))

    def onto(self, point: Volume, level: float) -> Volume:
        for _ in range(4):
            point = point - self.slope(point) * (self.at(point[None])[0] - level)
        return point

    def sagittal_sinus(self) -> Volume:
        # above the midline from the forehead to the confluence at the back
        points = []
        for angle in np.deg2rad(np.linspace(15, 195, 40)):
            ray = np.array([0.0, np.cos(angle), np.sin(angle)])
            steps = np.array([0.0, -22.0, 5.0]) + np.arange(20, 130, 1.0)[:, None] * ray
            points.append(steps[self.at(steps) < 0][-1] + 4.2 * ray)
        points.append(np.array([0.0, -97.0, -20.0]))
        return np.array(points)

    def cortical(self, root: Volume, side: int, random: np.random.Generator) -> Volume:
        point, nodes = root.copy(), [root]
        heading = np.array([side, random.uniform(-0.3, 0.6), -0.4])
        for _ in range(int(random.integers(7, 13))):
            heading = heading + 0.25 * random.standard_normal(3)
            normal = self.slope(point)
            step = heading - normal * (heading @ normal)
            point = self.onto(point + 6 * step / np.linalg.norm(step), random.uniform(-3.0, -1.0))
            nodes.append(point)
        return np.array(nodes)

    def somewhere_white(self, random: np.random.Generator) -> tuple[float, float, float]:
        while True:
            x, y, z = random.uniform((-50, -80, -10), (50, 50, 45))
            point = np.array([(x, y, z)])
            if self.at(point, self.white)[0] > 0.9 and self.at(point)[0] < -8:
                return float(x), float(y), float(z)


def _medullary(surface: _Surface, random: np.random.Generator) -> list[tuple[Volume, float]]:
    # fine veins of the white matter, from the ventricle's wall outwards and up
    chains = []
    for _ in range(60):
        side = random.choice((-1, 1))
        y = random.uniform(-40, 25)
        start = np.array([side * 19.0, y, 21.0 - 0.004 * (y + 5) ** 2])
        heading = np.array([side * random.uniform(0.3, 1.0), random.uniform(-0.3, 0.3), 0.8])
        nodes = [start]
        for _ in range(4):
            heading = heading + 0.15 * random.standard_normal(3)
            nodes.append(nodes[-1] + 5 * heading / np.linalg.norm(heading))
        if surface.at(nodes[-1][None])[0] < -4:
            chains.append((np.array(nodes), float(random.uniform(0.25, 0.45))))
    return chains


def capsules_of(nodes: Volume, radius: float) -> Volume:
    """Capsules (n - 1, 8) of a chain of nodes (n, 3): both ends and both radii, in mm."""
    # a vein tapers to 60 % of its radius at its far end unless it is a wide sinus
    taper = np.linspace(1.0, 0.6 if radius < 1.2 else 1.0, len(nodes)) * radius
    return np.hstack([nodes[:-1], nodes[1:], taper[:-1, None], taper[1:, None]])
