"""The table of products: where each lies, what it is called, its unit and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from bidsqsm.io.names import in_order, join

FIELD_STEPS = ('coil', 'phase', 'unwrap', 'field')
LOCAL_STEPS = (*FIELD_STEPS, 'mask', 'background', 'onestep')
CHI_STEPS = (*LOCAL_STEPS, 'dipole', 'reference')
DECAY_STEPS = ('gradient_correction', 'relaxometry')
SOURCE_STEPS = (*CHI_STEPS, *DECAY_STEPS, 'separation')
JOINT_STEPS = (*FIELD_STEPS, 'mask', 'background', 'joint', 'reference')


@dataclass(frozen=True, kw_only=True)
class Product:
    """One kind of derivative image.

    Parameters
    ----------
    folder, suffix, desc, part
        Parts of the BIDS name; an empty ``desc`` or ``part`` is left out.
    units
        Unit of the values as they are written (``None`` for masks).
    steps
        Steps of the catalogue that the product depends on, in order.
    made_by
        The steps whose method is the product's estimation algorithm, the first of them that is
        used; the last one of ``steps`` if empty.
    stripped
        Whether the tissue outside the brain was removed.
    in_hz
        The values arrive in ppm of B0 and are written in Hz.
    per_echo
        One 3-D file per echo is written from an image with echoes along the fourth axis.

    """

    folder: str
    suffix: str
    units: str | None
    description: str
    steps: tuple[str, ...]
    made_by: tuple[str, ...] = ()
    desc: str = ''
    part: str = ''
    stripped: bool = True
    in_hz: bool = False
    per_echo: bool = False
    mask_type: str = ''

    @property
    def dtype(self) -> str:
        """Type of the stored values."""
        return 'uint8' if self.mask_type else 'float32'


def _weighted(
    keys: tuple[str, str], desc: str, steps: tuple[str, ...], about: str
) -> dict[str, Product]:
    """A susceptibility-weighted image and its minimum over a slab."""
    image = Product(
        folder='anat',
        suffix='swi',
        desc=desc,
        units='arbitrary',
        steps=steps,
        description=f'Susceptibility-weighted image: {about}',
    )
    lowest = f'Minimum over a slab about every slice of the susceptibility-weighted image: {about}'
    return {keys[0]: image, keys[1]: replace(image, suffix='minIP', description=lowest)}


PRODUCTS: Mapping[str, Product] = {
    'chi': Product(
        folder='anat',
        suffix='Chimap',
        units='ppm',
        steps=CHI_STEPS,
        made_by=('dipole', 'onestep'),
        description='Magnetic susceptibility relative to the reference region, zero outside the '
        'mask.',
    ),
    'r2star': Product(
        folder='anat',
        suffix='R2starmap',
        units='1/s',
        steps=DECAY_STEPS,
        description='Effective transverse relaxation rate R2*.',
    ),
    't2star': Product(
        folder='anat',
        suffix='T2starmap',
        units='s',
        steps=DECAY_STEPS,
        description='Effective transverse relaxation time T2*.',
    ),
    's0': Product(
        folder='anat',
        suffix='S0map',
        units='arbitrary',
        steps=DECAY_STEPS,
        description='Signal extrapolated to an echo time of zero.',
    ),
    'r2star_error': Product(
        folder='anat',
        suffix='R2starmap',
        desc='rmse',
        units='1',
        steps=DECAY_STEPS,
        description='Root mean square misfit of the decay over the echoes, as a share of S0.',
    ),
    'n_echoes': Product(
        folder='anat',
        suffix='R2starmap',
        desc='nechoes',
        units='1',
        steps=DECAY_STEPS,
        description='Number of echoes that R2* was fitted to, from the first on; 0 where none could '
        'be fitted.',
    ),
    **_weighted(
        ('swi', 'minip'),
        '',
        ('coil', 'phase', 'mask', 'swi'),
        'magnitude, dark where the high-pass filtered phase shows a stronger field (veins, iron).',
    ),
    **_weighted(
        ('swi_diamagnetic', 'minip_diamagnetic'),
        'diamagnetic',
        ('coil', 'phase', 'mask', 'swi'),
        'magnitude, dark where the high-pass filtered phase shows a weaker field (calcification).',
    ),
    **_weighted(
        ('clear_swi', 'clear_minip'),
        'clear',
        ('coil', 'phase', 'unwrap', 'mask', 'clear_swi'),
        'evenly bright magnitude, dark where the unwrapped phase of all echoes shows a stronger '
        'field.',
    ),
    **_weighted(
        ('true_swi', 'true_minip'),
        'true',
        (*CHI_STEPS, 'true_swi'),
        'magnitude, dark where the susceptibility is high.',
    ),
    'chi_paramagnetic': Product(
        folder='anat',
        suffix='Chimap',
        desc='paramagnetic',
        units='ppm',
        steps=SOURCE_STEPS,
        made_by=('separation',),
        description='Susceptibility of paramagnetic sources such as iron, not negative, zero outside '
        'the mask.',
    ),
    'chi_diamagnetic': Product(
        folder='anat',
        suffix='Chimap',
        desc='diamagnetic',
        units='ppm',
        steps=SOURCE_STEPS,
        made_by=('separation',),
        description='Susceptibility of diamagnetic sources such as myelin and calcium, not positive, '
        'zero outside the mask.',
    ),
    'r2': Product(
        folder='anat',
        suffix='R2map',
        units='1/s',
        steps=('relaxometry', 'r2prime'),
        description='Transverse relaxation rate R2, given or from spin echoes, on the grid of the run.',
    ),
    'r2prime': Product(
        folder='anat',
        suffix='R2map',
        desc='prime',
        units='1/s',
        steps=(*DECAY_STEPS, 'r2prime'),
        description="Reversible transverse relaxation rate R2', which is R2* less R2 and at least 0.",
    ),
    't2prime': Product(
        folder='anat',
        suffix='T2map',
        desc='prime',
        units='s',
        steps=(*DECAY_STEPS, 'r2prime'),
        description="Reversible transverse relaxation time T2', which is one over R2'.",
    ),
    'total_field': Product(
        folder='fmap',
        suffix='fieldmap',
        desc='total',
        units='Hz',
        in_hz=True,
        steps=FIELD_STEPS,
        description='Frequency shift from all sources, positive where the field is stronger.',
    ),
    'local_field': Product(
        folder='fmap',
        suffix='fieldmap',
        desc='local',
        units='Hz',
        in_hz=True,
        steps=LOCAL_STEPS,
        description='Frequency shift from sources inside the mask, zero outside it.',
    ),
    'noise': Product(
        folder='fmap',
        suffix='fieldmap',
        desc='noise',
        units='Hz',
        in_hz=True,
        steps=FIELD_STEPS,
        description='Standard deviation of the total field, from the fit over echoes.',
    ),
    'fmap_magnitude': Product(
        folder='fmap',
        suffix='magnitude',
        units='arbitrary',
        stripped=False,
        steps=('coil',),
        description='Root of the sum of squares of the magnitude over echoes, for the field maps '
        'beside it.',
    ),
    'magnitude_rss': Product(
        folder='anat',
        suffix='T2starw',
        part='mag',
        desc='rss',
        units='arbitrary',
        stripped=False,
        steps=('coil',),
        description='Root of the sum of squares of the magnitude over echoes.',
    ),
    'unwrapped': Product(
        folder='anat',
        suffix='MEGRE',
        part='phase',
        desc='unwrapped',
        units='rad',
        per_echo=True,
        stripped=False,
        steps=('coil', 'phase', 'unwrap'),
        description='Unwrapped phase, receive offset removed; grows where the field is stronger.',
    ),
    'residual': Product(
        folder='anat',
        suffix='T2starw',
        desc='residual',
        units='1',
        stripped=False,
        steps=FIELD_STEPS,
        description='Part of the complex signal that the field fit leaves unexplained, relative '
        'to the signal.',
    ),
    'water': Product(
        folder='anat',
        suffix='S0map',
        desc='water',
        units='arbitrary',
        stripped=False,
        steps=FIELD_STEPS,
        description='Signal of water at an echo time of zero.',
    ),
    'fat': Product(
        folder='anat',
        suffix='S0map',
        desc='fat',
        units='arbitrary',
        stripped=False,
        steps=FIELD_STEPS,
        description='Signal of fat at an echo time of zero.',
    ),
    'fat_fraction': Product(
        folder='anat',
        suffix='probseg',
        desc='fatfraction',
        units='1',
        stripped=False,
        steps=FIELD_STEPS,
        description='Signal of fat as a share of that of water and fat, 0 to 1; not corrected for '
        'T1.',
    ),
    'waterfat_r2star': Product(
        folder='anat',
        suffix='R2starmap',
        desc='waterfat',
        units='1/s',
        stripped=False,
        steps=FIELD_STEPS,
        description='Effective transverse relaxation rate R2* that water and fat have in common.',
    ),
    'quality': Product(
        folder='anat',
        suffix='probseg',
        desc='quality',
        units='1',
        stripped=False,
        steps=('coil', 'phase', 'unwrap'),
        description='Quality of the phase, 0 (noise) to 1 (smooth in space and over echoes).',
    ),
    'brain_mask': Product(
        folder='anat',
        suffix='mask',
        desc='brain',
        units=None,
        mask_type='Brain',
        steps=('mask',),
        description='Brain, as found by the method for the mask or as given.',
    ),
    'magnitude_mask': Product(
        folder='anat',
        suffix='mask',
        desc='magnitude',
        units=None,
        mask_type='Brain',
        steps=('mask',),
        description='Brain as the magnitude alone shows it, from which the brain mask was made.',
    ),
    'template_mask': Product(
        folder='anat',
        suffix='mask',
        desc='template',
        units=None,
        mask_type='Brain',
        steps=('mask',),
        description='Brain of the template, carried to the run by registration.',
    ),
    'quality_mask': Product(
        folder='anat',
        suffix='mask',
        desc='quality',
        units=None,
        mask_type='ROI',
        steps=('mask',),
        description='Voxels of the brain whose phase is good and whose echoes agree on one field.',
    ),
    'qsm_mask': Product(
        folder='anat',
        suffix='mask',
        desc='qsm',
        units=None,
        mask_type='ROI',
        steps=('mask', 'background', 'onestep'),
        description='Voxels that have a susceptibility: the brain less unreliable edges.',
    ),
    'holed_mask': Product(
        folder='anat',
        suffix='mask',
        desc='holed',
        units=None,
        mask_type='ROI',
        steps=('mask', 'background', 'onestep'),
        description='Voxels whose susceptibility comes from the mask with holes (`--two-pass`).',
    ),
    'vein_mask': Product(
        folder='anat',
        suffix='mask',
        desc='vein',
        units=None,
        mask_type='ROI',
        steps=(*CHI_STEPS, 'relaxometry', 'oxygenation'),
        made_by=('oxygenation',),
        description='Large veins, as far as they lie within the mask of the susceptibility.',
    ),
    'decompose_paramagnetic': Product(
        folder='anat',
        suffix='Chimap',
        desc='decomposeparamagnetic',
        units='ppm',
        steps=(*CHI_STEPS, 'decompose'),
        made_by=('decompose',),
        description='Susceptibility of the paramagnetic sources of a voxel, were the diamagnetic '
        'ones neutral (DECOMPOSE), relative to the reference region of the susceptibility map.',
    ),
    'decompose_diamagnetic': Product(
        folder='anat',
        suffix='Chimap',
        desc='decomposediamagnetic',
        units='ppm',
        steps=(*CHI_STEPS, 'decompose'),
        made_by=('decompose',),
        description='Susceptibility of the diamagnetic sources of a voxel, were the paramagnetic '
        'ones neutral (DECOMPOSE), at most zero, relative to the reference region of the '
        'susceptibility map.',
    ),
    'reference_mask': Product(
        folder='anat',
        suffix='mask',
        desc='reference',
        units=None,
        mask_type='ROI',
        steps=('reference',),
        description='Region whose mean susceptibility is zero by definition.',
    ),
    'iron': Product(
        folder='anat',
        suffix='ironmap',
        units='mg/kg',
        steps=(*CHI_STEPS, 'concentration'),
        description='Iron in mg per kg of wet tissue, linear in susceptibility: what is beyond the '
        'baseline, negative below it.',
    ),
    'gadolinium': Product(
        folder='anat',
        suffix='gadoliniummap',
        units='mmol/L',
        steps=(*CHI_STEPS, 'concentration'),
        description='Gadolinium, linear in susceptibility: what is beyond the baseline, negative '
        'below it.',
    ),
}


#: What the orientations of a head make together, under the same keys.
JOINT_PRODUCTS: Mapping[str, Product] = {
    'chi': Product(
        folder='anat',
        suffix='Chimap',
        desc='cosmos',
        units='ppm',
        steps=JOINT_STEPS,
        made_by=('joint',),
        description='Magnetic susceptibility from several orientations of the head, on the grid of '
        'the first, relative to the reference region, zero outside the mask.',
    ),
    'qsm_mask': Product(
        folder='anat',
        suffix='mask',
        desc='cosmos',
        units=None,
        mask_type='ROI',
        steps=('mask', 'background', 'joint'),
        description='Voxels whose local field is trusted in all orientations.',
    ),
    'reference_mask': Product(
        folder='anat',
        suffix='mask',
        desc='cosmosreference',
        units=None,
        mask_type='ROI',
        steps=('reference',),
        description='Region whose mean susceptibility is zero by definition in the map from several '
        'orientations.',
    ),
}


def file_name(entities: Mapping[str, str], product: Product, echo: int | None = None) -> str:
    """Name of a product without its extension, entities in the order that BIDS wants."""
    extra = {'echo': echo and f'{echo}', 'part': product.part, 'desc': product.desc}
    given = {**entities, **{key: value for key, value in extra.items() if value}}
    return f'{join(in_order(given))}_{product.suffix}'


def folder_of(entities: Mapping[str, str]) -> PurePosixPath:
    """Folder of a subject (and session), relative to the dataset."""
    parts = [f'{key}-{entities[key]}' for key in ('sub', 'ses') if key in entities]
    return PurePosixPath(*parts)


def image_path(
    entities: Mapping[str, str], product: Product, echo: int | None = None
) -> PurePosixPath:
    """Path of a product's image, relative to the derivative dataset."""
    name = file_name(entities, product, echo)
    return folder_of(entities) / product.folder / f'{name}.nii.gz'
