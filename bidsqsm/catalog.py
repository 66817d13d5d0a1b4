"""Every method bidsqsm can run.

This table is the only place where a method is made known to the app. The
command line, the interfaces, the methods text and the table in the
documentation are all read from it.
"""

from __future__ import annotations

from bidsqsm.methods import Method, Step
from bidsqsm.qsm.background.lbv import lbv
from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.dipole.tv import tv

BACKGROUND = Step(
    'background',
    takes='total field in ppm',
    gives='local field in ppm and the mask that remains',
    default='vsharp',
    methods=(
        Method('lbv', lbv, cite=('zhou2014',)),
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

STEPS = {step.name: step for step in (BACKGROUND, DIPOLE)}
