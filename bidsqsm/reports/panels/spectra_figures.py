"""Noise and susceptibility over the spatial frequency, as the field shows them."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.spectra.spectra_table import SpectraTable
from bidsqsm.reports.drawing.charts import axes_in
from bidsqsm.reports.drawing.figure import INK, as_png, figure_of
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.spec import PanelSpec

_NOISE, _CHI, _RATIO = '#e69f00', '#56b4e9', '#cc79a7'
_SPECTRA_HEIGHT_INCHES = 2.6
#: Largest magnitude of the dipole kernel
_LARGEST_DIPOLE = 2 / 3
_FREQUENCIES, _RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1), (0.05, 0.1, 0.2, 0.5, 1)


def draw_spectra(scene: RunImages) -> bytes:
    """Draw both amplitudes on the left, their ratio on the right; nothing where none are known."""
    told = (getattr(scene.decisions[step], 'spectra', None) for step in ('dipole', 'onestep'))
    table = next((one for one in told if one is not None and one.frequency), None)
    return b'' if table is None else _draw(table)


SPECTRA_PANEL = PanelSpec(
    key='spectra',
    step='dipole',
    needs=('decisions',),
    suffix='Chimap',
    title='Noise and susceptibility over the spatial frequency',
    caption=(
        'Left: amplitude of the noise, with all that the model does not explain, and of '
        'susceptibility, as white noise of that power would have it. Right: their ratio, which is '
        'the magnitude of the dipole kernel below which noise prevails; above the dashed line '
        '(2/3) it prevails in all directions. Noise should be flat: what rises to the left are '
        'errors of the model.'
    ),
    alt='Amplitude of noise and of susceptibility, in ppb, over the spatial frequency, of',
    draw=draw_spectra,
)


def _draw(table: SpectraTable) -> bytes:
    figure = figure_of(_SPECTRA_HEIGHT_INCHES)
    both, ratio = (axes_in(figure, (1, 2), (0, column)) for column in range(2))
    for values, colour, word in (
        (table.susceptibility, _CHI, 'susceptibility'),
        (table.noise, _NOISE, 'noise'),
    ):
        both.loglog(table.frequency, values, color=colour, linewidth=1.5, label=word)
    both.legend(fontsize=7.5, frameon=False, labelcolor='linecolor', handlelength=1.2)
    both.set_title('amplitude (ppb)', fontsize=8.5, color=INK, pad=4)
    quotient = np.asarray(table.noise) / np.asarray(table.susceptibility)
    ratio.loglog(table.frequency, quotient, color=_RATIO, linewidth=1.5)
    ratio.axhline(_LARGEST_DIPOLE, color=INK, linewidth=0.8, linestyle='--')
    ratio.set_title('noise over susceptibility', fontsize=8.5, color=INK, pad=4)
    ratio.set_yticks(_RATIOS, [f'{value:g}' for value in _RATIOS])
    # room for the line and for every tick
    ratio.set_ylim(min(_RATIOS[0], quotient.min()), max(1.2, 1.1 * quotient.max()))
    for axes in (both, ratio):
        axes.minorticks_off()
        limits = axes.get_xlim()
        axes.set_xticks(_FREQUENCIES, [f'{value:g}' for value in _FREQUENCIES])
        axes.set_xlim(limits)
        axes.set_xlabel('spatial frequency (1/mm)', fontsize=8, color=INK, labelpad=2)
    return as_png(figure, [_NOISE, _CHI, _RATIO])
