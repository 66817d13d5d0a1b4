"""The table of products: where each lies, what it is called, its unit and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from bidsqsm.inputs.names import in_order, join
from bidsqsm.inputs.run import GreRun
from bidsqsm.steps import upstream


@dataclass(frozen=True, kw_only=True)
class Product:
    """One kind of derivative image.

    Parameters
    ----------
    folder, suffix, desc, part
        Parts of the BIDS name; an empty ``desc`` or ``part`` is left out.
    units
        Unit of the values as they are written (``None`` for masks).
    description
        What the image shows, for its sidecar.
    steps
        Steps of the catalogue that the product depends on, in order.
    made_by
        The steps whose method is the product's estimation algorithm, the first of them that is
        used; the last one of ``steps`` if empty.
    maker
        The step of a run whose workflow makes the product; '' where it is made on writing.
    output
        Name of the product there, where it is not its key.
    stripped
        Whether the tissue outside the brain was removed.
    in_hz
        The values arrive in ppm of B0 and are written in Hz.
    per_echo
        One 3-D file per echo is written from an image with echoes along the fourth axis.
    mask_type
        ``Type`` of a mask in its sidecar; empty for what is no mask.

    """

    folder: str
    suffix: str
    units: str | None
    description: str
    steps: tuple[str, ...]
    made_by: tuple[str, ...] = ()
    maker: str = ''
    output: str = ''
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


def _weighted(keys: tuple[str, str], desc: str, maker: str, about: str) -> dict[str, Product]:
    """A susceptibility-weighted image and its minimum over a slab."""
    image = Product(
        folder='anat',
        suffix='swi',
        desc=desc,
        units='arbitrary',
        maker=maker,
        steps=upstream(maker),
        description=f'Susceptibility-weighted image: {about}',
    )
    lowest = f'Minimum over a slab about every slice of the susceptibility-weighted image: {about}'
    return {keys[0]: image, keys[1]: replace(image, suffix='minIP', description=lowest)}


PRODUCTS: Mapping[str, Product] = {
    'chi': Product(
        maker='reference',
        folder='anat',
        suffix='Chimap',
        units='ppm',
        steps=upstream('reference'),
        made_by=('dipole', 'onestep'),
        description='Magnetic susceptibility relative to the reference region, zero outside the '
        'mask.',
    ),
    'chi_deviation': Product(
        maker='dipole',
        output='deviation',
        folder='anat',
        suffix='Chimap',
        desc='sd',
        units='ppm',
        steps=upstream('dipole', 'onestep'),
        made_by=('dipole', 'onestep'),
        description='Standard deviation of the magnetic susceptibility from noise and from errors of '
        'the model, as the field shows them: that of an inversion which knows their spectra, '
        'whatever the method. Zero outside the mask.',
    ),
    'r2star': Product(
        maker='relaxometry',
        folder='anat',
        suffix='R2starmap',
        units='1/s',
        steps=upstream('relaxometry'),
        description='Effective transverse relaxation rate R2*.',
    ),
    't2star': Product(
        maker='relaxometry',
        folder='anat',
        suffix='T2starmap',
        units='s',
        steps=upstream('relaxometry'),
        description='Effective transverse relaxation time T2*.',
    ),
    's0': Product(
        maker='relaxometry',
        folder='anat',
        suffix='S0map',
        units='arbitrary',
        steps=upstream('relaxometry'),
        description='Signal extrapolated to an echo time of zero.',
    ),
    'r2star_error': Product(
        maker='relaxometry',
        folder='anat',
        suffix='R2starmap',
        desc='rmse',
        units='1',
        steps=upstream('relaxometry'),
        description='Root mean square misfit of the decay over the echoes, as a share of S0.',
    ),
    'n_echoes': Product(
        maker='relaxometry',
        folder='anat',
        suffix='R2starmap',
        desc='nechoes',
        units='1',
        steps=upstream('relaxometry'),
        description='Number of echoes that R2* was fitted to, from the first on; 0 where none could '
        'be fitted.',
    ),
    **_weighted(
        ('swi', 'minip'),
        '',
        'swi',
        'magnitude, dark where the high-pass filtered phase shows a stronger field (veins, iron).',
    ),
    **_weighted(
        ('swi_diamagnetic', 'minip_diamagnetic'),
        'diamagnetic',
        'swi',
        'magnitude, dark where the high-pass filtered phase shows a weaker field (calcification).',
    ),
    **_weighted(
        ('clear_swi', 'clear_minip'),
        'clear',
        'clear_swi',
        'evenly bright magnitude, dark where the unwrapped phase of all echoes shows a stronger '
        'field.',
    ),
    **_weighted(
        ('true_swi', 'true_minip'),
        'true',
        'true_swi',
        'magnitude, dark where the susceptibility is high.',
    ),
    'chi_paramagnetic': Product(
        maker='separation',
        output='paramagnetic',
        folder='anat',
        suffix='Chimap',
        desc='paramagnetic',
        units='ppm',
        steps=upstream('separation'),
        made_by=('separation',),
        description='Susceptibility of paramagnetic sources such as iron, not negative, zero outside '
        'the mask.',
    ),
    'chi_diamagnetic': Product(
        maker='separation',
        output='diamagnetic',
        folder='anat',
        suffix='Chimap',
        desc='diamagnetic',
        units='ppm',
        steps=upstream('separation'),
        made_by=('separation',),
        description='Susceptibility of diamagnetic sources such as myelin and calcium, not positive, '
        'zero outside the mask.',
    ),
    'r2': Product(
        maker='r2prime',
        folder='anat',
        suffix='R2map',
        units='1/s',
        steps=('relaxometry', 'r2prime'),
        description='Transverse relaxation rate R2, given or from spin echoes, on the grid of the run.',
    ),
    'r2prime': Product(
        maker='r2prime',
        folder='anat',
        suffix='R2map',
        desc='prime',
        units='1/s',
        steps=upstream('r2prime'),
        description="Reversible transverse relaxation rate R2', which is R2* less R2 and at least 0.",
    ),
    't2prime': Product(
        maker='r2prime',
        folder='anat',
        suffix='T2map',
        desc='prime',
        units='s',
        steps=upstream('r2prime'),
        description="Reversible transverse relaxation time T2', which is one over R2'.",
    ),
    'total_field': Product(
        maker='sign',
        folder='fmap',
        suffix='fieldmap',
        desc='total',
        units='Hz',
        in_hz=True,
        steps=upstream('field'),
        description='Frequency shift from all sources, positive where the field is stronger.',
    ),
    'local_field': Product(
        maker='background',
        folder='fmap',
        suffix='fieldmap',
        desc='local',
        units='Hz',
        in_hz=True,
        steps=upstream('background', 'onestep'),
        description='Frequency shift from sources inside the mask, zero outside it.',
    ),
    'noise': Product(
        maker='field',
        folder='fmap',
        suffix='fieldmap',
        desc='noise',
        units='Hz',
        in_hz=True,
        steps=upstream('field'),
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
        maker='phase',
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
        maker='sign',
        folder='anat',
        suffix='MEGRE',
        part='phase',
        desc='unwrapped',
        units='rad',
        per_echo=True,
        stripped=False,
        steps=upstream('unwrap'),
        description='Unwrapped phase, receive offset removed; grows where the field is stronger.',
    ),
    'residual': Product(
        maker='field',
        folder='anat',
        suffix='T2starw',
        desc='residual',
        units='1',
        stripped=False,
        steps=upstream('field'),
        description='Part of the complex signal that the field fit leaves unexplained, relative '
        'to the signal.',
    ),
    'water': Product(
        maker='field',
        folder='anat',
        suffix='S0map',
        desc='water',
        units='arbitrary',
        stripped=False,
        steps=upstream('field'),
        description='Signal of water at an echo time of zero.',
    ),
    'fat': Product(
        maker='field',
        folder='anat',
        suffix='S0map',
        desc='fat',
        units='arbitrary',
        stripped=False,
        steps=upstream('field'),
        description='Signal of fat at an echo time of zero.',
    ),
    'fat_fraction': Product(
        maker='field',
        folder='anat',
        suffix='probseg',
        desc='fatfraction',
        units='1',
        stripped=False,
        steps=upstream('field'),
        description='Signal of fat as a share of that of water and fat, 0 to 1; not corrected for '
        'T1.',
    ),
    'waterfat_r2star': Product(
        maker='field',
        folder='anat',
        suffix='R2starmap',
        desc='waterfat',
        units='1/s',
        stripped=False,
        steps=upstream('field'),
        description='Effective transverse relaxation rate R2* that water and fat have in common.',
    ),
    'quality': Product(
        maker='unwrap',
        folder='anat',
        suffix='probseg',
        desc='quality',
        units='1',
        stripped=False,
        steps=upstream('unwrap'),
        description='Quality of the phase, 0 (noise) to 1 (smooth in space and over echoes).',
    ),
    'brain_mask': Product(
        maker='mask',
        folder='anat',
        suffix='mask',
        desc='brain',
        units=None,
        mask_type='Brain',
        steps=('mask',),
        description='Brain, as found by the method for the mask or as given.',
    ),
    'magnitude_mask': Product(
        maker='mask',
        folder='anat',
        suffix='mask',
        desc='magnitude',
        units=None,
        mask_type='Brain',
        steps=('mask',),
        description='Brain as the magnitude alone shows it, from which the brain mask was made.',
    ),
    'template_mask': Product(
        maker='mask',
        folder='anat',
        suffix='mask',
        desc='template',
        units=None,
        mask_type='Brain',
        steps=('mask',),
        description='Brain of the template, carried to the run by registration.',
    ),
    'quality_mask': Product(
        maker='mask',
        folder='anat',
        suffix='mask',
        desc='quality',
        units=None,
        mask_type='ROI',
        steps=('mask',),
        description='Voxels of the brain whose phase is good and whose echoes agree on one field.',
    ),
    'qsm_mask': Product(
        maker='dipole',
        output='mask',
        folder='anat',
        suffix='mask',
        desc='qsm',
        units=None,
        mask_type='ROI',
        steps=('mask', 'background', 'onestep'),
        description='Voxels that have a susceptibility: the brain less unreliable edges.',
    ),
    'holed_mask': Product(
        maker='two_pass',
        folder='anat',
        suffix='mask',
        desc='holed',
        units=None,
        mask_type='ROI',
        steps=('mask', 'background', 'onestep'),
        description='Voxels whose susceptibility comes from the mask with holes (`--two-pass`).',
    ),
    'vein_mask': Product(
        maker='oxygenation',
        output='veins',
        folder='anat',
        suffix='mask',
        desc='vein',
        units=None,
        mask_type='ROI',
        steps=(*upstream('reference'), 'relaxometry', 'oxygenation'),
        made_by=('oxygenation',),
        description='Large veins, as far as they lie within the mask of the susceptibility.',
    ),
    'decompose_paramagnetic': Product(
        maker='decompose',
        output='paramagnetic',
        folder='anat',
        suffix='Chimap',
        desc='decomposeparamagnetic',
        units='ppm',
        steps=upstream('decompose'),
        made_by=('decompose',),
        description='Susceptibility of the paramagnetic sources of a voxel, were the diamagnetic '
        'ones neutral (DECOMPOSE), relative to the reference region of the susceptibility map.',
    ),
    'decompose_diamagnetic': Product(
        maker='decompose',
        output='diamagnetic',
        folder='anat',
        suffix='Chimap',
        desc='decomposediamagnetic',
        units='ppm',
        steps=upstream('decompose'),
        made_by=('decompose',),
        description='Susceptibility of the diamagnetic sources of a voxel, were the paramagnetic '
        'ones neutral (DECOMPOSE), at most zero, relative to the reference region of the '
        'susceptibility map.',
    ),
    'reference_mask': Product(
        maker='reference',
        output='region',
        folder='anat',
        suffix='mask',
        desc='reference',
        units=None,
        mask_type='ROI',
        steps=('reference',),
        description='Region whose mean susceptibility is zero by definition.',
    ),
    'iron': Product(
        maker='concentration',
        folder='anat',
        suffix='ironmap',
        units='mg/kg',
        steps=upstream('concentration'),
        description='Iron in mg per kg of wet tissue, linear in susceptibility: what is beyond the '
        'baseline, negative below it.',
    ),
    'gadolinium': Product(
        maker='concentration',
        folder='anat',
        suffix='gadoliniummap',
        units='mmol/L',
        steps=upstream('concentration'),
        description='Gadolinium, linear in susceptibility: what is beyond the baseline, negative '
        'below it.',
    ),
}


#: What the orientations of a head make together, under the same keys.
JOINT_PRODUCTS: Mapping[str, Product] = {
    'chi': Product(
        maker='reference',
        folder='anat',
        suffix='Chimap',
        desc='cosmos',
        units='ppm',
        steps=(*upstream('joint'), 'reference'),
        made_by=('joint',),
        description='Magnetic susceptibility from several orientations of the head, on the grid of '
        'the first, relative to the reference region, zero outside the mask.',
    ),
    'qsm_mask': Product(
        maker='joint',
        output='mask',
        folder='anat',
        suffix='mask',
        desc='cosmos',
        units=None,
        mask_type='ROI',
        steps=('mask', 'background', 'joint'),
        description='Voxels whose local field is trusted in all orientations.',
    ),
    'reference_mask': Product(
        maker='reference',
        output='region',
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


def products_of(run: GreRun) -> Mapping[str, Product]:
    """What can be made of a run, or of a set of orientations."""
    return JOINT_PRODUCTS if len(run.runs) > 1 else PRODUCTS


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
