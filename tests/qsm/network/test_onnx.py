"""Networks: what they are fed, what becomes of their answer, and what is refused before any work."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.qsm.dipole.onnx import onnx
from bidsqsm.qsm.frame import Frame, upright
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.network.patches import Tiling, in_patches
from bidsqsm.qsm.network.session import from_tensor, to_tensor
from helpers.analytic_fields import SHAPES, TILTED, make_scene
from helpers.onnx_models import filtering, save, scaling

FILTER = np.random.default_rng(0).normal(0, 1, (3, 3, 3)).astype(np.float32)


@pytest.fixture
def model(tmp_path):
    return tmp_path / 'net.onnx'


def smooth_field(grid, seed=0):
    """Smooth over 3 mm, so that it can be interpolated."""
    rough = np.random.default_rng(seed).normal(0, 1, grid.shape)
    smooth = ndimage.gaussian_filter(rough, 3 / np.array(grid.voxel_size))
    return (0.02 * smooth / smooth.std()).astype(np.float32)


@pytest.mark.parametrize('patch', [None, 16, [24, 16, 20]])
def test_patches_of_a_linear_network_make_up_the_whole(model, patch):
    """On a straight grid of odd size: exactly the filtered field, patch or no patch."""
    scene = make_scene(**{**SHAPES['odd, tilted'], 'b0_direction': (0.0, 0.0, 1.0)})
    filtering(model, FILTER, patch=patch, margin=1, overlap=5)
    chi = onnx(scene.local, scene.mask, scene.grid, model=model)
    expected = ndimage.correlate(scene.local * scene.mask, FILTER, mode='constant')
    np.testing.assert_allclose(chi, expected * scene.mask, atol=1e-5)
    assert np.abs(chi).max() > 0.1


def test_a_network_that_returns_less_than_it_takes_is_placed_by_its_margin(model):
    scene = make_scene()
    filtering(model, FILTER, pads=0, patch=18, margin=1, size=[1, 1, 18, 18, 18])
    chi = onnx(scene.local, scene.mask, scene.grid, model=model)
    expected = ndimage.correlate(scene.local * scene.mask, FILTER, mode='constant')
    np.testing.assert_allclose(chi, expected * scene.mask, atol=1e-5)


def test_a_network_of_fixed_size_sets_the_patch(model):
    scene = make_scene()
    scaling(model, 2.0, size=[1, 1, 16, 24, 32])
    chi = onnx(scene.local, scene.mask, scene.grid, model=model)
    np.testing.assert_allclose(chi, 2 * scene.local * scene.mask, atol=1e-6)


@pytest.mark.parametrize('layout', ['NCXYZ', 'NZYXC', 'YXZ', 'NCZXY'])
def test_the_layout_says_which_axis_is_which(model, layout):
    """A filter that differs along each axis, in the order of the axes of the tensor."""
    scene = make_scene(shape=(30, 34, 28))
    axes = [a for a in layout if a in 'XYZ']
    kernel = FILTER.transpose(['XYZ'.index(a) for a in axes])
    if layout.startswith('NC'):
        filtering(model, kernel, layout=layout)
        expected = ndimage.correlate(scene.local * scene.mask, FILTER, mode='constant')
    else:
        scaling(model, 2.0, layout=layout, size=[None] * len(layout))
        expected = 2 * scene.local
    chi = onnx(scene.local, scene.mask, scene.grid, model=model)
    np.testing.assert_allclose(chi, expected * scene.mask, atol=1e-5)
    volume = scene.local[:5, :6, :7]
    np.testing.assert_array_equal(from_tensor(to_tensor(volume, layout), layout), volume)


def test_scaling_is_that_of_the_description(model):
    """Radians in, ppb out: chi = (3 (k f + 0.5) - 1.5) / 1000."""
    scene = make_scene()
    scaling(model, 3.0, input_scale=15, input_offset=0.5, output_scale=1e-3, output_offset=-1.5e-3)
    chi = onnx(scene.local, scene.mask, scene.grid, model=model)
    np.testing.assert_allclose(chi, 0.045 * scene.local * scene.mask, atol=1e-7)


def test_a_wrapped_phase_is_wrapped(model):
    scene = make_scene()
    scaling(model, 1.0, input_scale=200, wrap=True)
    chi = onnx(scene.local, scene.mask, scene.grid, model=model)
    assert np.abs(chi).max() <= np.pi + 1e-5
    turns = (200 * scene.local - chi)[scene.mask] / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-4)
    assert np.rint(turns).any()


def test_mask_and_constants_are_fed_to_inputs_of_their_own(model):
    from onnx import helper

    scene = make_scene()
    nodes = [
        helper.make_node('Mul', ['field', 'te'], ['scaled']),
        helper.make_node('Add', ['scaled', 'inside'], ['chi']),
    ]
    inputs = ('field', 'inside', 'te')
    save(model, nodes, inputs=inputs, mask_input='inside', constants={'te': [[[[[0.5]]]]]})
    chi = onnx(scene.local, scene.mask, scene.grid, model=model)
    np.testing.assert_allclose(chi, (0.5 * scene.local + 1) * scene.mask, atol=1e-6)


@pytest.mark.parametrize(
    ('grid', 'described'),
    [
        (Grid((47, 51, 43), (1.0, 1.0, 1.0), TILTED), {}),
        (Grid((50, 54, 25), (0.9, 0.9, 1.8), TILTED), {'voxel_size': 1}),
        (Grid((45, 37, 41), (1.2, 0.8, 1.0)), {'voxel_size': [0.8, 0.8, 0.8]}),
        (Grid((44, 40, 42), (1.0, 1.0, 1.0), (-0.96, 0.0, 0.28)), {'patch': 16}),
        (Grid((44, 40, 42), (1.0, 1.2, 0.9), (0.0, -1.0, 0.0)), {}),
    ],
)
def test_the_way_to_the_grid_of_the_network_and_back_changes_little(model, grid, described):
    field = smooth_field(grid)
    mask = make_scene(grid.shape, grid.voxel_size, grid.b0_direction).mask
    chi = onnx(field, mask, grid, model=scaling(model, 2.0, **described))
    inner = ndimage.binary_erosion(mask, iterations=3)
    assert np.abs(chi - 2 * field)[inner].max() < 0.08 * np.abs(field).max()
    np.testing.assert_allclose(
        chi[inner], 2 * field[inner], atol=0.02 * np.abs(field).max() + 1e-3
    )
    assert not chi[~mask].any()


def test_the_network_sees_the_main_field_along_its_third_axis(model):
    """Differences along the network's third axis are slopes along B0, however the head is tilted."""
    grid = Grid((40, 44, 42), (1.0, 1.0, 1.0), TILTED)
    at = np.meshgrid(*(np.arange(n) - n / 2 for n in grid.shape), indexing='ij')
    along = sum(b * x for b, x in zip(TILTED, at, strict=True))
    across = at[0] * TILTED[2] - at[2] * TILTED[0]
    field = (1e-3 * along + 5e-3 * across).astype(np.float32)
    kernel = np.zeros((3, 3, 3), np.float32)
    kernel[1, 1, 2], kernel[1, 1, 0] = 0.5, -0.5
    mask = make_scene(grid.shape, grid.voxel_size, TILTED).mask
    inner = ndimage.binary_erosion(mask, iterations=7)
    turned = onnx(field, mask, grid, model=filtering(model, kernel))
    np.testing.assert_allclose(turned[inner], 1e-3, atol=1e-4)
    as_it_is = onnx(field, mask, grid, model=filtering(model, kernel, b0_along_z=False))
    slope = 1e-3 * TILTED[2] - 5e-3 * TILTED[0]
    np.testing.assert_allclose(as_it_is[inner], slope, atol=1e-5)


@pytest.mark.parametrize('b0', [TILTED, (0.0, -1.0, 0.0), (-0.8, 0.0, 0.6), (0.0, 0.0, -1.0)])
def test_upright_is_a_rotation_that_takes_the_field_to_the_third_axis(b0):
    turn = upright(b0)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(turn @ b0, (0, 0, 1), atol=1e-9)


def test_a_frame_that_only_cuts_keeps_every_value():
    scene = make_scene()
    frame = Frame.around(scene.mask, scene.grid, (1.0, 1.0, 1.0), np.eye(3))
    assert frame.straight
    inner, mask = frame.there(scene.local)
    np.testing.assert_array_equal(frame.back(inner, mask), scene.local * scene.mask)
    assert inner.size < scene.local.size


@pytest.mark.parametrize('shape', [(40, 33, 21), (9, 50, 16)])
def test_patches_cover_every_voxel_and_reach_where_the_mask_is(shape):
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    mask = np.ones(shape, bool)
    tiling = Tiling((16, 14, 16), overlap=4, margin=2)
    cut = (slice(2, -2),) * 3
    joined = in_patches(volume, mask, tiling, lambda patch, _: patch[cut])
    np.testing.assert_allclose(joined, volume, atol=1e-6)
    assert not in_patches(volume, ~mask, tiling, lambda patch, _: patch[cut]).any()


def test_threads_change_no_bit_of_patches(model):
    scene = make_scene()
    filtering(model, FILTER, patch=16, margin=1)
    with threads(1):
        alone = onnx(scene.local, scene.mask, scene.grid, model=model)
    with threads(2):
        shared = onnx(scene.local, scene.mask, scene.grid, model=model)
    np.testing.assert_array_equal(alone, shared)


@pytest.mark.parametrize(
    ('described', 'message'),
    [
        ({'pach': 16}, "no setting 'pach'; did you mean 'patch'"),
        ({'patch': 0}, 'patch: expected a whole number from 1 up, got 0'),
        ({'patch': [16, 16]}, 'patch: expected one number or three'),
        ({'patch': 8, 'margin': 4}, 'a margin of 4 leaves nothing'),
        ({'voxel_size': -1}, 'voxel_size: expected sizes above 0'),
        ({'layout': 'NCDHW'}, 'layout: expected the letters X, Y, Z'),
        ({'layout': 'XYZ'}, r'has shape .* expected 3 axes'),
        ({'output_scale': 0}, 'output_scale: expected a number other than 0'),
        ({'input': 'phase'}, "no tensor 'phase'; there are: field"),
        ({'output': 'qsm'}, "no tensor 'qsm'; there are: chi"),
        ({'constants': {'te': 'soon'}}, 'constants: expected an object'),
        ({'b0_along_z': 1}, 'b0_along_z: expected true or false'),
    ],
)
def test_a_wrong_description_is_told_on_the_command_line(model, described, message):
    scaling(model, 1.0, **described)
    with pytest.raises(ValueError, match=message):
        STEPS['dipole'].choose(f'onnx:model={model}')


def test_a_network_that_does_not_fit_is_told_on_the_command_line(model, tmp_path, capsys):
    scaling(model, 1.0, size=[1, 1, 16, 16, 16], patch=24)
    with pytest.raises(ValueError, match='expected it to take the patch'):
        STEPS['dipole'].choose(f'onnx:model={model}')
    scaling(model, 1.0, size=[1, 2, 16, 16, 16])
    with pytest.raises(ValueError, match='one batch and one channel'):
        STEPS['dipole'].choose(f'onnx:model={model}')
    scaling(model, 1.0, inputs=('field', 'mask'))
    with pytest.raises(ValueError, match=r"has the input 'mask'.*mask_input"):
        STEPS['dipole'].choose(f'onnx:model={model}')
    model.write_text('no network')
    with pytest.raises(SystemExit):
        parse_arguments(['ds', 'out', 'participant', '--dipole', f'onnx:model={model}'])
    assert 'cannot be opened as an ONNX network' in capsys.readouterr().err
    model.with_suffix('.json').unlink()
    with pytest.raises(ValueError, match=r'net\.json: no such file'):
        STEPS['dipole'].choose(f'onnx:model={model}')
    with pytest.raises(ValueError, match=r'none\.onnx: no such file'):
        STEPS['dipole'].choose(f'onnx:model={tmp_path / "none.onnx"}')
    with pytest.raises(ValueError, match=r'onnx needs model: write onnx:model=VALUE'):
        STEPS['dipole'].choose('onnx')


def test_without_onnxruntime_the_extra_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    scaling(model, 1.0)
    with pytest.raises(ValueError, match=r'pip install "bidsqsm\[dl\]"'):
        STEPS['dipole'].choose(f'onnx:model={model}')
    assert STEPS['dipole'].choose('tv')


def test_the_choice_goes_through_a_settings_file(model, tmp_path, monkeypatch):
    """A relative path is kept as an absolute one: nodes run in folders of their own."""
    scaling(model, 1.0)
    monkeypatch.chdir(tmp_path)
    config = parse_arguments(['ds', 'out', 'participant', '--dipole', 'onnx:model=net.onnx'])
    assert config.summary()['methods']['dipole'] == {'name': 'onnx', 'model': str(model)}
    settings = tmp_path / 'settings.toml'
    settings.write_text(config.to_toml())
    again = parse_arguments(['ds', 'out', 'participant', '--config-file', str(settings)])
    assert again.methods['dipole'] == config.methods['dipole']
    assert len(again.methods['dipole'].digest()) == 64
    assert replace(again, methods=config.methods) == config


def test_a_network_that_makes_the_wrong_shape_is_told(model):
    scene = make_scene()
    filtering(model, FILTER, pads=0)
    with pytest.raises(ValueError, match=r'the network made .* expected .*margin'):
        onnx(scene.local, scene.mask, scene.grid, model=model)
