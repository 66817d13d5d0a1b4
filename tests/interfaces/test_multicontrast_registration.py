"""Registration once the maps are there: what stands beside the magnitude, and what happens if it fails."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from bidsqsm.atlases.structures import make_label
from bidsqsm.facts.registration_facts import RegistrationFacts
from bidsqsm.files.nifti import save_volume
from bidsqsm.interfaces.anatomy.multicontrast_registration import RegisterContrasts
from bidsqsm.interfaces.anatomy.registration_checks import failed
from bidsqsm.qsm.registration.itk import affine_transform
from bidsqsm.rois.literature import RANGES
from bidsqsm.rois.typical_chi import drawn_chi, typical_chi
from helpers.template_atlases import AFFINE, MASSP20, SHAPE, ball, brain, labels

QUICK = 'greedy:resolution=6'


@pytest.fixture(scope='module')
def atlas():
    """Label image and what its values mean."""
    image, rows = labels(MASSP20)
    pairs = (row.split('\t') for row in rows[1:])
    return image, [make_label(int(index), name) for index, name in pairs]


def textured():
    """Blobs of a few voxels, by which a head is known again."""
    noise = np.random.default_rng(2).normal(size=SHAPE)
    return 1 + 1.5 * ndimage.gaussian_filter(noise, 1.5)


@pytest.fixture
def files(tmp_path, atlas):
    t1w, mask = brain()
    volumes = {
        'head': (t1w * textured()).astype(np.float32),
        'mask': mask.astype(np.uint8),
        'labels': atlas[0],
        'chi': drawn_chi(*atlas),
        'r2star': 30 * ball((0, -17, -6), 40).astype(np.float32),
        'elsewhere': ball((30, -17, 30), 12).astype(np.float32),
    }
    paths = {k: str(save_volume(v, AFFINE, tmp_path / f'{k}.nii')) for k, v in volumes.items()}
    for name in ('forward', 'backward'):
        paths[name] = str(tmp_path / f'{name}.txt')
        SimpleITK.WriteTransform(affine_transform(np.eye(4)), paths[name])
    return paths


def register(files, atlas, folder, first=None, **more):
    """Run the step; the transforms of the magnitude alone are any files."""
    given = {
        'first_forward': [files['forward']],
        'first_backward': [files['backward']],
        'first_facts': [first or {'overlap': 0.9}],
        'chi': files['chi'],
        'qsm_mask': files['mask'],
        'labels': [files['labels']],
        'names': [[asdict(label) for label in atlas[1]]],
    }
    step = RegisterContrasts(
        in_file=files['head'],
        in_mask=files['mask'],
        template=files['head'],
        template_mask=files['mask'],
        template_name='T',
        method=QUICK,
        **(given | more),
    )
    folder.mkdir(exist_ok=True)
    return step.run(cwd=folder).outputs


def test_labels_draw_the_susceptibility_of_their_structures(atlas):
    image, known = atlas
    chi = drawn_chi(image, known)
    by_name = {label.structure: chi[image == label.index] for label in known}
    low, high = RANGES['pallidum'].low, RANGES['pallidum'].high
    np.testing.assert_allclose(by_name['pallidum_interna'], (low + high) / 2, rtol=1e-6)
    assert (by_name['subthalamic_nucleus'] == np.float32(typical_chi('substantia_nigra'))).all()
    assert not chi[image == 0].any()
    assert not chi[image == 46].any()  # the dentate gyrus is no dentate nucleus


def test_the_maps_stand_beside_the_magnitude(files, atlas, tmp_path):
    alone = register(files, atlas, tmp_path / 'one')
    assert not RegistrationFacts.of(alone.facts).warnings
    assert alone.facts['contrasts'] == ['magnitude', 'chi']
    more = register(
        files, atlas, tmp_path / 'two', r2star=files['r2star'], template_r2star=files['r2star']
    )
    assert more.facts['contrasts'] == ['magnitude', 'chi', 'r2star']
    assert RegistrationFacts.of(more.facts).failure is None
    # a run of one echo has no R2*, whatever the template has
    single = register(files, atlas, tmp_path / 'three', template_r2star=files['r2star'])
    assert single.facts['contrasts'] == ['magnitude', 'chi']


def test_without_phase_the_rate_alone_stands_beside_the_magnitude(files, atlas, tmp_path):
    alone = (
        RegisterContrasts(
            in_file=files['head'],
            in_mask=files['mask'],
            template=files['head'],
            template_mask=files['mask'],
            template_name='T',
            method=QUICK,
            r2star=files['r2star'],
            template_r2star=files['r2star'],
            labels=[files['labels']],
            names=[[asdict(label) for label in atlas[1]]],
            first_forward=[files['forward']],
            first_backward=[files['backward']],
            first_facts=[{'overlap': 0.9}],
        )
        .run(cwd=tmp_path)
        .outputs
    )
    assert alone.facts['contrasts'] == ['magnitude', 'r2star']
    assert RegistrationFacts.of(alone.facts).failure is None


def test_the_map_of_the_template_goes_before_its_labels(files, atlas, tmp_path):
    step = RegisterContrasts(
        in_file=files['head'],
        in_mask=files['mask'],
        template=files['head'],
        template_mask=files['mask'],
        template_name='T',
        method=QUICK,
        chi=files['chi'],
        qsm_mask=files['mask'],
        template_chi=files['elsewhere'],
        labels=[files['labels']],
        names=[[asdict(label) for label in atlas[1]]],
        first_forward=[files['forward']],
        first_backward=[files['backward']],
        first_facts=[{}],
    )
    head, template = step._heads()  # noqa: SLF001, what the program is given
    np.testing.assert_allclose(template.further[0], ball((30, -17, 30), 12), atol=1e-4)
    np.testing.assert_allclose(head.further[0], drawn_chi(*atlas) * brain()[1], atol=1e-6)
    assert template.image.shape == SHAPE


def test_a_failure_before_stays_one(files, atlas, tmp_path):
    out = register(files, atlas, tmp_path / 'x', first=failed('the head was lost').plain())
    assert out.facts['failed'] == 'the head was lost'
    assert (out.forward, out.backward) == (files['forward'], files['backward'])


def test_where_more_contrasts_fail_the_magnitude_alone_stands(files, atlas, tmp_path, monkeypatch):
    def give_up(*_, **__):
        raise RuntimeError('greedy: no')

    monkeypatch.setattr(RegisterContrasts, '_register', give_up)
    out = register(files, atlas, tmp_path / 'x')
    assert RegistrationFacts.of(out.facts).failure is None
    assert out.facts['contrasts'] == ['magnitude']
    assert out.facts['overlap'] == 0.9
    assert 'by the magnitude alone stands' in out.facts['warnings'][0]
    assert (out.forward, out.backward) == (files['forward'], files['backward'])
