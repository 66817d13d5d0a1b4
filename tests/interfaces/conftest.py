"""Fixtures of the interfaces: files of a phantom."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.files.nifti import save_volume


@pytest.fixture
def phantom_files(phantom, tmp_path):
    """The phantom in the work folder: field, mask, noise, magnitude."""
    affine = np.diag([*phantom.grid.voxel_size, 1])
    arrays = {
        'field': phantom.field.astype(np.float32),
        'mask': phantom.mask,
        'noise': np.full(phantom.mask.shape, 0.001, np.float32),
        'chi': phantom.chi.astype(np.float32) + 0.5 * phantom.mask,
        'one': np.ones(phantom.mask.shape, np.float32),
    }
    return {k: str(save_volume(v, affine, tmp_path / f'{k}.nii')) for k, v in arrays.items()}
