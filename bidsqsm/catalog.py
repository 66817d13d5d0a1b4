"""Every method bidsqsm can run.

This table is the only place where a method is made known to the app. The
command line, the interfaces, the methods text and the table in the
documentation are all read from it.
"""

from __future__ import annotations

from bidsqsm.methods import Method, Step
from bidsqsm.qsm.background.lbv import lbv
from bidsqsm.qsm.background.pdf import pdf
from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.dipole.tv import tv
from bidsqsm.qsm.reference.csf import csf
from bidsqsm.qsm.reference.none import none
from bidsqsm.qsm.reference.whole_brain import whole_brain
from bidsqsm.qsm.relaxometry.arlo import arlo
from bidsqsm.qsm.relaxometry.auto import auto
from bidsqsm.qsm.relaxometry.loglinear import loglinear
from bidsqsm.qsm.relaxometry.nlls import nlls

BACKGROUND = Step(
    'background',
    takes='total field in ppm',
    gives='local field in ppm and the mask that remains',
    default='vsharp',
    methods=(
        Method('lbv', lbv, cite=('zhou2014',)),
        Method('pdf', pdf, cite=('liu2011',)),
        Method('vsharp', vsharp, cite=('schweser2011', 'wu2012')),
    ),
)

DIPOLE = Step(
    'dipole',
    takes='local field in ppm',
    gives='susceptibility in ppm',
    default='tv',
    methods=(
        Method('tkd', tkd, cite=('shmueli2009', 'schweser2013')),
        Method('tv', tv, cite=('bilgic2014', 'milovic2018')),
    ),
)

REFERENCE = Step(
    'reference',
    takes='susceptibility in ppm, R2* in 1/s, labels',
    gives='susceptibility in ppm, the region used and its value',
    default='whole-brain',
    methods=(
        Method('csf', csf, cite=('liu2018',)),
        Method('none', none, cite=('bilgic2024',)),
        Method('whole-brain', whole_brain, cite=('bilgic2024',)),
    ),
)

RELAXOMETRY = Step(
    'relaxometry',
    takes='magnitude, echo times in s',
    gives='R2* in 1/s, T2* in s, S0 and the misfit',
    default='auto',
    methods=(
        Method('arlo', arlo, cite=('pei2015',)),
        Method('auto', auto, cite=('pei2015', 'veraart2013')),
        Method('loglinear', loglinear, cite=('veraart2013',)),
        Method('nlls', nlls, cite=('marquardt1963', 'gudbjartsson1995')),
    ),
)

STEPS = {step.name: step for step in (BACKGROUND, DIPOLE, REFERENCE, RELAXOMETRY)}
