"""Every method bidsqsm can run.

This table is the only place where a method is made known to the app. The
command line, the interfaces, the methods text and the table in the
documentation are all read from it.
"""

from __future__ import annotations

from bidsqsm.methods import Method, Step
from bidsqsm.qsm.dipole.tkd import tkd

DIPOLE = Step(
    'dipole',
    takes='local field in ppm',
    gives='susceptibility in ppm',
    default='tkd',
    methods=(Method('tkd', tkd, cite=('shmueli2009', 'schweser2013')),),
)

STEPS = {step.name: step for step in (DIPOLE,)}
