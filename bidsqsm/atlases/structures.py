"""Structures of the brain under one name each, whatever an atlas calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: A structure and the pattern of its names, side apart. A name must fit as a whole: the dentate
#: gyrus is no dentate nucleus, and the ventral pallidum not the globus pallidus
_PATTERNS: tuple[tuple[str, str], ...] = (
    ('pallidum_externa', r'gpe|(globus )?pallidus?m? (externa|external(is)?|externus)( segment)?'),
    ('pallidum_externa', r'external (globus )?pallid(us|um)'),
    ('pallidum_interna', r'gpi|(globus )?pallidus?m? (interna|internal(is)?|internus)( segment)?'),
    ('pallidum_interna', r'internal (globus )?pallid(us|um)'),
    ('pallidum', r'gp|globus pallidus|pallid(um|us)'),
    ('substantia_nigra_compacta', r'snc|snpc|(substantia )?nigra (pars )?compacta'),
    ('substantia_nigra_reticulata', r'snr|snpr|(substantia )?nigra (pars )?reticulata'),
    ('substantia_nigra', r'sn|substantia nigra'),
    ('red_nucleus', r'rn|red nucle(us|i)|nucleus ruber'),
    ('subthalamic_nucleus', r'stn|subthalamic( nucle(us|i))?|subthalamus'),
    ('dentate_nucleus', r'dn|dentate nucle(us|i)|dentate|nucleus dentatus'),
    ('ventral_tegmental_area', r'vta|ventral tegmental area'),
    ('accumbens', r'nac|nacc|(nucleus )?accumbens( area| nucleus)?'),
    ('caudate', r'cn|cau|(nucleus )?caudat(e|us)( nucleus)?'),
    ('putamen', r'put|putamen'),
    ('thalamus', r'tha|thalamus( proper)?'),
    ('amygdala', r'amygdala'),
    ('hippocampus', r'hippocampus'),
    ('claustrum', r'claustrum'),
    ('habenula', r'(lateral |medial )?habenula(r nucleus)?'),
    ('periaqueductal_gray', r'pag|periaqueductal gr[ae]y'),
    ('internal_capsule', r'internal capsule'),
    ('ventricle', r'(lateral|third|fourth|3rd|4th) ventricle'),
    ('ventricle', r'ventricles?'),
    ('csf', r'csf|cerebrospinal fluid'),
    ('vein', r'veins?'),
    ('calcification', r'calcifications?'),
    ('microbleed', r'microbleeds?'),
    ('cerebellar_white_matter', r'(cerebellum|cerebellar) (white matter|wm)'),
    ('cerebellar_gray_matter', r'(cerebellum|cerebellar) (cortex|gr[ae]y matter|gm)'),
    ('white_matter', r'(cerebral )?(white matter|wm)'),
    ('gray_matter', r'(cerebral )?(gr[ae]y matter|gm)|cerebral cortex'),
    ('brain_stem', r'brain ?stem'),
)
_STRUCTURE_PATTERNS = tuple((structure, re.compile(pattern)) for structure, pattern in _PATTERNS)

#: Every name that :attr:`Label.structure` may have
STRUCTURES: tuple[str, ...] = tuple(dict.fromkeys(s for s, _ in _PATTERNS if s))

#: Structures that are the sum of others, with their parts
PARTS_OF_STRUCTURE: Mapping[str, tuple[str, ...]] = {
    'pallidum': ('pallidum_externa', 'pallidum_interna'),
    'substantia_nigra': ('substantia_nigra_compacta', 'substantia_nigra_reticulata'),
}

_STRUCTURE_OF_PART = {part: whole for whole, parts in PARTS_OF_STRUCTURE.items() for part in parts}


def whole_of(structure: str) -> str:
    """The structure that another one is a part of, or that one itself.

    Examples
    --------
    >>> whole_of('pallidum_interna'), whole_of('caudate')
    ('pallidum', 'caudate')

    """
    return _STRUCTURE_OF_PART.get(structure, structure)


_SIDES = {'left': 'L', 'l': 'L', 'lh': 'L', 'right': 'R', 'r': 'R', 'rh': 'R'}


@dataclass(frozen=True)
class Label:
    """A value of a label image.

    Attributes
    ----------
    index
        Value in the image.
    name
        As the atlas calls it.
    hemisphere
        'L', 'R' or '' for neither.
    structure
        One of :data:`STRUCTURES`, or '' where the name says none of them.

    """

    index: int
    name: str
    hemisphere: str
    structure: str

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError(f'label {self.index} has no name, expected one: give it a name')
        if self.hemisphere not in ('L', 'R', ''):
            raise ValueError(
                f'label {self.index} {self.name!r} has hemisphere {self.hemisphere!r}; '
                'expected L, R or nothing'
            )
        if self.structure and self.structure not in STRUCTURES:
            raise ValueError(
                f'no structure {self.structure!r}; there are: {", ".join(STRUCTURES)}'
            )


def make_label(index: int, name: str, hemisphere: str = '') -> Label:
    """Read side and structure off the name that an atlas gives a label.

    Parameters
    ----------
    index
        Value in the image.
    name
        Such as ``left-globus-pallidus-externa``, ``Right-Thalamus-Proper`` or ``SNr_L``.
    hemisphere
        L or R in any spelling, where the atlas tells it apart from the name.

    Examples
    --------
    >>> make_label(9, 'L Globus Pallidus externa')
    Label(index=9, name='L Globus Pallidus externa', hemisphere='L', structure='pallidum_externa')
    >>> make_label(46, 'left-dentate-gyrus').structure
    ''

    """
    name = ' '.join(name.split())
    words = _words(name)
    side = hemisphere.strip().lower()
    if side in ('', 'n/a', 'b', 'both', 'bilateral', 'm', 'midline'):
        # the name's own side, at its start or its end: an l or r elsewhere is part of a word
        ends = [word for word in (words[:1] + words[-1:]) if word in _SIDES] if words[1:] else []
        side = ends[0] if ends else ''
    elif side not in _SIDES:
        raise ValueError(
            f'label {index} {name!r} has hemisphere {hemisphere!r}; expected L, R or nothing'
        )
    return Label(index, name, _SIDES.get(side, ''), _structure(words))


def _words(name: str) -> list[str]:
    # leftPutamen, ctx-lh, SN_l, L.GPe: every change of kind parts two words, GPe stays whole
    apart = re.sub(r'(?<=[a-z])(?=[A-Z][a-z]{2})', ' ', name)
    return re.findall(r'[a-z0-9]+', apart.lower())


def _structure(words: list[str]) -> str:
    text = ' '.join(word for word in words if word not in _SIDES)
    for structure, pattern in _STRUCTURE_PATTERNS:
        if pattern.fullmatch(text):
            return structure
    return ''
