"""Separated sources as a step of a run: what it takes, says and leaves out."""

from __future__ import annotations

from io import BytesIO

import nibabel as nb
import numpy as np
import pytest
from matplotlib.image import imread
from nipype.interfaces.base import isdefined

from bidsqsm.catalog import STEPS
from bidsqsm.config import settled_methods
from bidsqsm.derivatives.decisions_text import describe_decisions
from bidsqsm.derivatives.product_groups import GROUPS
from bidsqsm.derivatives.sidecars import sidecar
from bidsqsm.facts.contrasts_facts import SeparationFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.files.nifti import save_volume
from bidsqsm.interfaces.contrasts.separation import SeparateSources, facts_of_rate, summed
from bidsqsm.qsm.separation.sources import Sources
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.source_figures import SEPARATION_PANEL, draw_sources
from helpers.example_run import make_facts, make_products, make_run

RATE = 137.0


@pytest.fixture
def files(phantom, tmp_path):
    """A map, its field, and an R2' by which every voxel holds 0.03 ppm of both kinds besides."""
    affine = np.diag([*phantom.grid.voxel_size, 1])
    chi = (phantom.chi * phantom.mask).astype(np.float32)
    rate = RATE * (np.abs(chi) + 0.06 * phantom.mask)
    arrays = {
        'in_file': chi,
        'in_mask': phantom.mask,
        'local_field': phantom.field.astype(np.float32),
        'noise': np.full(phantom.mask.shape, 0.001, np.float32),
        'r2prime': rate.astype(np.float32),
        'r2star': (2.5 * rate).astype(np.float32),
        'nothing': np.zeros_like(chi),
    }
    return {k: str(save_volume(v, affine, tmp_path / f'{k}.nii')) for k, v in arrays.items()}


def separated(files, folder, **changes):
    folder.mkdir()
    names = ('in_file', 'in_mask', 'local_field', 'noise', 'r2star', 'r2prime')
    given = {name: files[name] for name in names if name in files} | changes
    return SeparateSources(field_strength=3.0, **given).run(cwd=folder).outputs


@pytest.mark.parametrize('method', ['closed', 'iterative:smoothing=0'])
def test_the_step_writes_both_parts_and_says_what_they_rest_on(phantom, files, tmp_path, method):
    found = separated(files, tmp_path / 'made', method=method)
    parts = [
        nb.load(path).get_fdata()[phantom.mask] for path in (found.paramagnetic, found.diamagnetic)
    ]
    chi = phantom.chi[phantom.mask]
    np.testing.assert_allclose(parts[0], np.maximum(chi, 0) + 0.03, atol=3e-3)
    np.testing.assert_allclose(parts[1], np.minimum(chi, 0) - 0.03, atol=3e-3)
    assert found.facts['rate'] == "R2', measured"
    assert found.facts['sum_rms'] < 2e-3
    assert found.facts['one_kind'] == 0 == found.facts['bad_voxels']
    assert not SeparationFacts.of(found.facts).warnings


def test_without_r2prime_the_step_uses_r2star_and_says_so(phantom, files, tmp_path):
    true = separated(files, tmp_path / 'true', method='closed')
    del files['r2prime']
    pseudo = separated(files, tmp_path / 'pseudo', method='closed:ratio=2.5')
    assert pseudo.facts['rate'] == "pseudo-R2', that is R2* over 2.5"
    ours, theirs = (nb.load(f.paramagnetic).get_fdata() for f in (pseudo, true))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    told = RunFacts.of({'separation': pseudo.facts})
    assert "pseudo-R2'" in describe_decisions({'Decisions': told})
    facts = RunFacts(make_facts() | told)
    run = make_run(tmp_path / 'ds')
    choices = {'separation': STEPS['separation'].choose('closed')}
    for key in ('chi_paramagnetic', 'chi_diamagnetic'):
        content = sidecar(key, run, facts, choices, {'raw': tmp_path / 'ds'}, {})
        assert content['RelaxationRate'] == pseudo.facts['rate']
        assert content['EstimationAlgorithm'] == 'Separation of sources in closed form'
    assert 'RelaxationRate' not in sidecar('chi', run, facts, choices, {}, {})


def test_a_rate_of_zero_leaves_the_parts_out(files, tmp_path):
    found = separated(files, tmp_path / 'none', method='closed', r2prime=files['nothing'])
    assert not isdefined(found.paramagnetic)
    assert not isdefined(found.diamagnetic)
    assert "R2' is zero throughout the mask" in found.facts['left_out']
    assert found.facts['warnings'] == [found.facts['left_out']]
    assert RunFacts.of({'separation': found.facts}).decided()


def test_a_sum_that_is_off_the_map_is_warned_of(phantom):
    chi = phantom.chi.astype(np.float32) * phantom.mask
    parts = np.maximum(chi, 0), np.minimum(chi, 0)
    assert summed(Sources(*parts), chi, phantom.mask) == []
    (said,) = summed(Sources(parts[0], 0 * chi + 0.4 * parts[1] - 0.1), chi, phantom.mask)
    assert 'take --separation closed' in said


def test_relaxivities_grow_with_the_field():
    facts = facts_of_rate(STEPS['separation'].choose('closed:diamagnetic=120'), 7.0, measured=True)
    assert facts.relaxivities == {'paramagnetic': pytest.approx(319.667), 'diamagnetic': 280}


def test_one_echo_has_no_separation(tmp_path):
    run = make_run(tmp_path / 'ds')
    assert GROUPS['separation'].lacking(run, settled_methods()) == ''
    object.__setattr__(run, 'echo_times', run.echo_times[:1])
    assert 'has one echo' in GROUPS['separation'].lacking(run, settled_methods())


def test_the_report_shows_both_parts(tmp_path):
    """Both are bright: what is diamagnetic is drawn with its sign turned."""
    products = make_products(tmp_path / 'work')
    scene = RunImages(make_run(tmp_path / 'ds'), products)
    image = imread(BytesIO(draw_sources(scene)))
    gray = image if image.ndim == 2 else image[..., :3].mean(-1)
    shares = [(row > 0.1).mean() for row in np.array_split(gray, 2)]
    assert min(shares) > 0.2
    assert max(shares) < 1.3 * min(shares)
    assert SEPARATION_PANEL.needs == ('chi_paramagnetic', 'chi_diamagnetic')
    assert SEPARATION_PANEL.draw is draw_sources
