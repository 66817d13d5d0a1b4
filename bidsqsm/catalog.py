"""Every method bidsqsm can run.

This table is the only place where a method is made known to the app. The
command line, the interfaces, the methods text and the table in the
documentation are all read from it. What else is known of the steps, their order among it,
is in :mod:`bidsqsm.steps`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bidsqsm.method import Choice, Method, Step
from bidsqsm.qsm.background.harperella import harperella
from bidsqsm.qsm.background.homodyne import homodyne
from bidsqsm.qsm.background.ismv import ismv
from bidsqsm.qsm.background.lbv import lbv
from bidsqsm.qsm.background.pdf import pdf
from bidsqsm.qsm.background.resharp import resharp
from bidsqsm.qsm.background.sharp import sharp
from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.coil.mcpc3ds import mcpc3ds
from bidsqsm.qsm.coil.mcpc_c import mcpc_c
from bidsqsm.qsm.coil.reference_coil import reference_coil
from bidsqsm.qsm.coil.short_te import short_te
from bidsqsm.qsm.coil.virtual_coil import virtual_coil
from bidsqsm.qsm.concentration.gadolinium import gadolinium
from bidsqsm.qsm.concentration.iron import iron
from bidsqsm.qsm.decompose.three_pool import three_pool
from bidsqsm.qsm.dephasing.no_correction import none as no_correction
from bidsqsm.qsm.dephasing.sinc import sinc
from bidsqsm.qsm.dipole.hd import hd
from bidsqsm.qsm.dipole.ilsqr import ilsqr
from bidsqsm.qsm.dipole.l1 import l1
from bidsqsm.qsm.dipole.medi import medi
from bidsqsm.qsm.dipole.medi0 import medi0
from bidsqsm.qsm.dipole.ndi import ndi
from bidsqsm.qsm.dipole.nltgv import nltgv
from bidsqsm.qsm.dipole.nltv import nltv
from bidsqsm.qsm.dipole.onnx import onnx
from bidsqsm.qsm.dipole.rts import rts
from bidsqsm.qsm.dipole.star import star
from bidsqsm.qsm.dipole.tikhonov import tikhonov
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.dipole.tsvd import tsvd
from bidsqsm.qsm.dipole.tv import tv
from bidsqsm.qsm.dipole.wh import wh
from bidsqsm.qsm.dipole.wiener import wiener
from bidsqsm.qsm.dipole.wiener_tv import wiener_tv
from bidsqsm.qsm.fieldmap.ideal import ideal
from bidsqsm.qsm.fieldmap.linear import linear
from bidsqsm.qsm.fieldmap.nonlinear import nonlinear
from bidsqsm.qsm.joint.cosmos import cosmos
from bidsqsm.qsm.masking.combined import combined
from bidsqsm.qsm.masking.magnitude import magnitude
from bidsqsm.qsm.masking.phase_quality import phase_quality
from bidsqsm.qsm.masking.structural import structural
from bidsqsm.qsm.masking.template import template
from bidsqsm.qsm.onestep.qsip import qsip
from bidsqsm.qsm.onestep.sstgv import sstgv
from bidsqsm.qsm.onestep.sstv import sstv
from bidsqsm.qsm.onestep.tfi import tfi
from bidsqsm.qsm.onestep.tgv import tgv
from bidsqsm.qsm.oxygenation.susceptometry import susceptometry
from bidsqsm.qsm.reference.csf import csf
from bidsqsm.qsm.reference.no_reference import none
from bidsqsm.qsm.reference.whole_brain import whole_brain
from bidsqsm.qsm.registration.greedy import affine, greedy
from bidsqsm.qsm.relaxometry.arlo import arlo
from bidsqsm.qsm.relaxometry.auto import auto
from bidsqsm.qsm.relaxometry.loglinear import loglinear
from bidsqsm.qsm.relaxometry.nlls import nlls
from bidsqsm.qsm.segmentation.border import border
from bidsqsm.qsm.segmentation.no_refinement import none as labels_as_they_are
from bidsqsm.qsm.segmentation.trim import trim
from bidsqsm.qsm.separation.closed import closed
from bidsqsm.qsm.separation.iterative import iterative
from bidsqsm.qsm.swi.chi_mask import chi_mask
from bidsqsm.qsm.swi.clear import clear
from bidsqsm.qsm.swi.phase_mask import phase_mask
from bidsqsm.qsm.unwrap.best_path import best_path
from bidsqsm.qsm.unwrap.laplacian import laplacian
from bidsqsm.qsm.unwrap.romeo import romeo
from bidsqsm.qsm.unwrap.temporal import temporal
from bidsqsm.steps import in_run_order

_STEPS = (
    Step(
        'coil',
        takes='complex channels',
        gives='phase in rad and magnitude',
        default='mcpc3ds',
        methods=(
            Method(
                'mcpc-c',
                mcpc_c,
                cite=('hammond2008',),
                phrase='one constant phase per channel (MCPC-C)',
            ),
            Method(
                'mcpc3ds',
                mcpc3ds,
                cite=('eckstein2018',),
                phrase='one smooth phase offset per channel (MCPC-3D-S)',
            ),
            Method(
                'reference-coil',
                reference_coil,
                cite=('robinson2017',),
                phrase='the phase of one channel as reference',
            ),
            Method(
                'short-te',
                short_te,
                cite=('robinson2017b',),
                phrase='offsets from a short echo time (COMPOSER)',
            ),
            Method(
                'virtual-coil',
                virtual_coil,
                cite=('parker2014',),
                phrase='a virtual reference coil (VRC)',
            ),
        ),
    ),
    Step(
        'unwrap',
        takes='phase in rad',
        gives='unwrapped phase in rad and its quality',
        default='romeo',
        methods=(
            Method(
                'best-path',
                best_path,
                cite=('abdulrahman2007',),
                phrase='following a path sorted by reliability on one echo, the others following in time',
            ),
            Method(
                'laplacian',
                laplacian,
                cite=('schofield2003',),
                phrase='the Laplacian, each echo on its own',
            ),
            Method(
                'romeo',
                romeo,
                cite=('dymerska2021',),
                phrase='following a path of good edges on one echo, the others following in time',
            ),
            Method(
                'temporal',
                temporal,
                cite=('feng2013',),
                phrase='following each voxel along its echoes, without a look at its neighbours',
            ),
        ),
    ),
    Step(
        'field',
        takes='unwrapped phase in rad, magnitude',
        gives='total field in ppm, its noise and the residual',
        default='nonlinear',
        methods=(
            Method(
                'ideal',
                ideal,
                cite=(
                    'dixon1984',
                    'reeder2004',
                    'yu2008',
                    'hernando2010',
                    'dong2015',
                    'kolmogorov2006',
                    'bydder2011',
                ),
                makes=('water', 'fat', 'fat_fraction', 'waterfat_r2star'),
            ),
            Method(
                'linear',
                linear,
                cite=('robinson2017',),
                phrase='a weighted linear fit of the unwrapped phase over the echoes',
            ),
            Method(
                'nonlinear',
                nonlinear,
                cite=('liu2013',),
                phrase='a nonlinear fit of the complex signal over the echoes',
            ),
        ),
    ),
    Step(
        'mask',
        takes='magnitude, phase quality, residual, brain mask of a template',
        gives='brain mask and QSM mask',
        default='combined',
        methods=(
            Method(
                'combined',
                combined,
                cite=('heckemann2006', 'dymerska2021', 'bilgic2024'),
                phrase='the magnitude (and a template, if any), trimmed by phase quality and residual',
            ),
            Method(
                'magnitude', magnitude, cite=('otsu1979',), phrase='the magnitude alone, untrimmed'
            ),
            Method(
                'phase-quality',
                phase_quality,
                cite=('dymerska2021', 'otsu1979', 'stewart2022'),
                phrase='the quality of the phase alone',
            ),
            Method(
                'structural',
                structural,
                cite=('otsu1979', 'heckemann2006'),
                phrase='the magnitude (and a template, if any), untrimmed',
            ),
            Method(
                'template',
                template,
                cite=('heckemann2006',),
                phrase='the brain mask of a template, carried to the run by registration',
            ),
        ),
    ),
    Step(
        'registration',
        takes='T1w, or magnitude where there is none, and a template with its brain',
        gives='transforms between the head and the template',
        default='greedy',
        methods=(
            Method(
                'affine',
                affine,
                cite=('tustison2010', 'avants2008', 'yushkevich2016'),
                phrase='an affine transform, found by local correlation',
            ),
            Method(
                'greedy',
                greedy,
                cite=('tustison2010', 'avants2008', 'yushkevich2016'),
                phrase='an affine and a greedy diffeomorphic transform, found by local correlation',
            ),
        ),
    ),
    Step(
        'background',
        takes='total field in ppm',
        gives='local field in ppm and the mask that remains',
        default='lbv',
        methods=(
            Method('harperella', harperella, cite=('li2014',)),
            Method(
                'homodyne',
                homodyne,
                cite=('haacke2004',),
                phrase='a homodyne high-pass filter of the field (not quantitative)',
            ),
            Method('ismv', ismv, cite=('wen2014',)),
            Method(
                'lbv', lbv, cite=('zhou2014',), phrase='the Laplacian boundary value method (LBV)'
            ),
            Method('pdf', pdf, cite=('liu2011',)),
            Method('resharp', resharp, cite=('sun2014',)),
            Method('sharp', sharp, cite=('schweser2011', 'ozbay2017')),
            Method('vsharp', vsharp, cite=('schweser2011', 'wu2012', 'ozbay2017')),
        ),
    ),
    Step(
        'dipole',
        takes='local field in ppm',
        gives='susceptibility in ppm',
        default='wh',
        methods=(
            Method(
                'hd',
                hd,
                cite=('lambert2022',),
                phrase='HD-QSM, which is total variation with a plain misfit, then with a squared one',
            ),
            Method('ilsqr', ilsqr, cite=('li2015ilsqr',)),
            Method(
                'l1',
                l1,
                cite=('milovic2022',),
                phrase='L1-QSM, which is nonlinear total variation with a plain, not squared, misfit',
            ),
            Method('medi', medi, cite=('liu2012', 'liu2013')),
            Method('medi0', medi0, cite=('liu2018', 'liu2012', 'liu2013')),
            Method('ndi', ndi, cite=('polak2020',)),
            Method('nltgv', nltgv, cite=('bredies2010', 'milovic2018')),
            Method('nltv', nltv, cite=('milovic2018',)),
            Method('onnx', onnx, cite=('jung2022',), phrase='a learned network in ONNX format'),
            Method('rts', rts, cite=('kames2018',)),
            Method('star', star, cite=('wei2015',)),
            Method(
                'tikhonov',
                tikhonov,
                cite=('bilgic2014', 'schweser2013'),
                phrase='Tikhonov regularisation',
            ),
            Method('tkd', tkd, cite=('shmueli2009', 'schweser2013')),
            Method('tsvd', tsvd, cite=('wharton2010',)),
            Method('tv', tv, cite=('bilgic2014', 'milovic2018')),
            Method('wh', wh, cite=('milovic2019',)),
            Method('wiener', wiener, cite=('wiener1949',)),
            Method('wiener-tv', wiener_tv, cite=('bilgic2014',)),
        ),
    ),
    Step(
        'onestep',
        takes='total field in ppm, or wrapped phase in rad',
        gives='susceptibility in ppm',
        default='sstv',
        methods=(
            Method('qsip', qsip, cite=('poynton2015',)),
            Method('sstgv', sstgv, cite=('chatnuntawech2017', 'langkammer2015', 'wu2012')),
            Method('sstv', sstv, cite=('chatnuntawech2017', 'wu2012')),
            Method('tfi', tfi, cite=('liu2017', 'zhou2014')),
            Method(
                'tgv',
                tgv,
                cite=('langkammer2015',),
                phrase='inversion of the wrapped phase with total generalised variation (TGV-QSM)',
            ),
        ),
        replaces=('background', 'dipole'),
    ),
    Step(
        'joint',
        takes='local fields of several orientations in ppm (`--orientations`)',
        gives='susceptibility in ppm',
        default='cosmos',
        methods=(Method('cosmos', cosmos, cite=('liu2009',)),),
        several=True,
    ),
    Step(
        'reference',
        takes='susceptibility in ppm, R2* in 1/s, labels',
        gives='susceptibility in ppm, the region used and its value',
        default='whole-brain',
        methods=(
            Method(
                'csf',
                csf,
                cite=('liu2018',),
                phrase='referenced to the mean of the ventricular cerebrospinal fluid',
            ),
            Method(
                'none',
                none,
                cite=('bilgic2024',),
                phrase='left with the constant of its inversion, without a reference',
            ),
            Method(
                'whole-brain',
                whole_brain,
                cite=('bilgic2024',),
                phrase='referenced to the mean of the whole brain',
            ),
        ),
    ),
    Step(
        'gradient_correction',
        takes='total field in ppm, echo times in s',
        gives='share of the signal that the gradient of the field leaves, 0 to 1',
        default='sinc',
        methods=(
            Method(
                'none', no_correction, cite=('fernandezseara2000',), phrase='not corrected for'
            ),
            Method(
                'sinc',
                sinc,
                cite=('fernandezseara2000',),
                phrase='corrected for as the loss by a field that changes evenly across it, in all three directions',
            ),
        ),
    ),
    Step(
        'relaxometry',
        takes='magnitude, echo times in s, share of the signal that dephasing leaves',
        gives='R2* in 1/s, T2* in s, S0, the misfit and the number of echoes used',
        default='auto',
        methods=(
            Method('arlo', arlo, cite=('pei2015',)),
            Method(
                'auto',
                auto,
                cite=('marquardt1963', 'gudbjartsson1995', 'veraart2013'),
                phrase='a nonlinear fit with the floor of the noise for three echoes or more, and a weighted log-linear fit for two',
            ),
            Method(
                'loglinear',
                loglinear,
                cite=('veraart2013',),
                phrase='a weighted log-linear fit of the decay',
            ),
            Method(
                'nlls',
                nlls,
                cite=('marquardt1963', 'gudbjartsson1995'),
                phrase='a nonlinear least-squares fit of the decay',
            ),
        ),
    ),
    Step(
        'concentration',
        takes='susceptibility in ppm',
        gives='concentration of what is paramagnetic: iron in mg/kg wet weight or gadolinium in mmol/L',
        default='iron',
        methods=(
            Method(
                'gadolinium',
                gadolinium,
                cite=('derochefort2008', 'deh2019'),
                makes=('gadolinium',),
            ),
            Method('iron', iron, cite=('langkammer2012',), makes=('iron',)),
        ),
    ),
    Step(
        'swi',
        takes='magnitude, phase in rad',
        gives='susceptibility-weighted images of either sign and their projections',
        default='phase-mask',
        methods=(
            Method(
                'phase-mask',
                phase_mask,
                cite=('haacke2004', 'posse1999'),
                phrase='powers of a mask from its homodyne-filtered phase',
            ),
        ),
    ),
    Step(
        'clear_swi',
        takes='magnitude, unwrapped phase in rad',
        gives='CLEAR-SWI and its projection',
        default='clear',
        methods=(
            Method(
                'clear',
                clear,
                cite=('eckstein2021', 'tustison2010'),
                phrase='its unwrapped phase after it was made evenly bright (CLEAR-SWI)',
            ),
        ),
    ),
    Step(
        'true_swi',
        takes='magnitude, susceptibility in ppm',
        gives='true SWI and its projection',
        default='chi-mask',
        methods=(
            Method(
                'chi-mask',
                chi_mask,
                cite=('liu2014', 'posse1999'),
                phrase='powers of a mask from susceptibility',
            ),
        ),
    ),
    Step(
        'oxygenation',
        takes='susceptibility in ppm, R2* in 1/s',
        gives='veins, their venous oxygen saturation and oxygen extraction fraction',
        default='susceptometry',
        methods=(
            Method(
                'susceptometry',
                susceptometry,
                cite=('haacke2010', 'fan2014', 'frangi1998', 'ward2017', 'spees2001', 'jain2012'),
                phrase='the susceptibility of the core of large veins',
            ),
        ),
    ),
    Step(
        'decompose',
        takes='susceptibility in ppm, magnitude of four echoes or more, echo times in s',
        gives='susceptibility in ppm of the paramagnetic and of the diamagnetic sources',
        default='three-pool',
        methods=(
            Method(
                'three-pool',
                three_pool,
                cite=('chen2021', 'yablonskiy1994', 'marquardt1963'),
                phrase='DECOMPOSE, a fit of three pools to the complex signal',
            ),
        ),
    ),
    Step(
        'separation',
        takes="susceptibility in ppm, R2' or R2* in 1/s, local field in ppm",
        gives='paramagnetic and diamagnetic susceptibility in ppm',
        default='iterative',
        methods=(
            Method('closed', closed, cite=('shin2021', 'dimov2022'), phrase='in closed form'),
            Method(
                'iterative',
                iterative,
                cite=('shin2021', 'dimov2022', 'beck2009'),
                phrase='by iteration, with the field in the data term',
            ),
        ),
    ),
    Step(
        'roi_refine',
        takes='regions of an atlas, susceptibility in ppm, R2* in 1/s',
        gives='the regions with the borders that the maps show',
        default='border',
        methods=(
            Method(
                'border',
                border,
                cite=('li2019atlas', 'lankton2008'),
                phrase='refined by moving their borders to those in chi and R2*',
            ),
            Method('none', labels_as_they_are, cite=('lim2013',), phrase='taken as they are'),
            Method(
                'trim',
                trim,
                cite=('bilgic2024',),
                phrase='trimmed of their rim and of the veins through them',
            ),
        ),
    ),
)

#: Every step that has methods, in the order in which a run goes through them.
STEPS: Mapping[str, Step] = {
    name: step
    for name in in_run_order(step.name for step in _STEPS)
    for step in _STEPS
    if step.name == name
}


def in_use(choices: Mapping[str, Choice]) -> dict[str, Choice]:
    """The choices less those whose place another one takes, in the order of the steps."""
    replaced = {name for step in choices for name in STEPS[step].replaces}
    return {name: choices[name] for name in STEPS if name in choices and name not in replaced}
