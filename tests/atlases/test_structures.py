"""Names of atlases find their structure and side, and near misses do not."""

from __future__ import annotations

import pytest

from bidsqsm.atlases.structures import PARTS_OF_STRUCTURE, STRUCTURES, Label, make_label
from bidsqsm.qsm.phantom.labels import LABELS
from bidsqsm.qsm.phantom.tissue import NUCLEI

NAMES = """
left-caudate                          L caudate
right-subthalamic-nuclei              R subthalamic_nucleus
left-globus-pallidus-interna          L pallidum_interna
right-globus-pallidus-externa         R pallidum_externa
third-ventricle                       - ventricle
left-nucleus-accumbens                L accumbens
right-ventral-tegmental-area          R ventral_tegmental_area
L Globus Pallidus externa             L pallidum_externa
R Substantia Nigra pars compacta      R substantia_nigra_compacta
L Substantia-Nigra-pars-reticulata    L substantia_nigra_reticulata
R Subthalamic Nucleus                 R subthalamic_nucleus
L Caudate                             L caudate
Left-Thalamus-Proper                  L thalamus
Left-Thalamus                         L thalamus
Right-Pallidum                        R pallidum
Left-Accumbens-area                   L accumbens
Left-Lateral-Ventricle                L ventricle
Brain-Stem                            - brain_stem
CSF                                   - csf
Right-Cerebral-White-Matter           R white_matter
Right-Cerebellum-White-Matter         R cerebellar_white_matter
Left_Dentate                          L dentate_nucleus
GPe-l                                 L pallidum_externa
L.GPi                                 L pallidum_interna
SN_R                                  R substantia_nigra
rh-SNr                                R substantia_nigra_reticulata
SNc                                   - substantia_nigra_compacta
RN                                    - red_nucleus
STN-r                                 R subthalamic_nucleus
CN                                    - caudate
leftPut                               L putamen
DN                                    - dentate_nucleus
VTA                                   - ventral_tegmental_area
red nucleus (left)                    L red_nucleus
left-dentate-gyrus                    L -
Left_Interposed                       L -
L Ventral Pallidum                    L -
L Parabrachial Pigmented              L -
Left-VentralDC                        L -
left-lateral-geniculate-nucleus       L -
Unknown                               - -
R                                     - -
""".strip().splitlines()


@pytest.mark.parametrize('row', NAMES, ids=lambda row: row.split('  ')[0])
def test_a_name_gives_its_side_and_structure(row):
    name, _, expected = row.rpartition('  ')
    side, structure = expected.split()
    label = make_label(7, f' {name.strip()} ')
    assert label == Label(7, name.strip(), side.strip('-'), structure.strip('-'))


def test_every_nucleus_of_the_phantom_is_known_under_its_own_name():
    for value, name in LABELS.items():
        label = make_label(value, name)
        assert label.structure == name.removeprefix('left_').removeprefix('right_')
        if label.structure in NUCLEI:
            assert label.hemisphere == ('R', 'L')[value % 2]


def test_a_side_that_is_told_counts_more_than_the_name():
    assert make_label(1, 'Putamen', 'right').hemisphere == 'R'
    assert make_label(1, 'l putamen', 'R').hemisphere == 'R'
    assert make_label(1, 'left putamen', 'n/a').hemisphere == 'L'


def test_parts_and_their_wholes_are_structures():
    assert {
        *PARTS_OF_STRUCTURE,
        *(part for parts in PARTS_OF_STRUCTURE.values() for part in parts),
    } < set(STRUCTURES)
    assert set(NUCLEI) < set(STRUCTURES)


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ((4, ' '), 'label 4 has no name'),
        ((4, 'putamen', 'up'), "hemisphere 'up'; expected L, R"),
    ],
)
def test_a_label_that_cannot_be_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        make_label(*arguments)
    with pytest.raises(ValueError, match="no structure 'brain'"):
        Label(1, 'brain', '', 'brain')
