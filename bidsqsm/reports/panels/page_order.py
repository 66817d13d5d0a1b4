"""The panels of a run, in the order of the page."""

from __future__ import annotations

from bidsqsm.reports.panels.chi_figures import (
    CHI_LEVELS_PANEL,
    CHI_MOSAIC_PANEL,
    CHI_PANEL,
    VESSELS_PANEL,
)
from bidsqsm.reports.panels.concentration_figures import CONCENTRATION_PANEL
from bidsqsm.reports.panels.convergence import CONVERGENCE_PANEL
from bidsqsm.reports.panels.decompose_figures import DECOMPOSE_PANEL
from bidsqsm.reports.panels.echo_figures import MAGNITUDE_PANEL, PHASE_PANEL, UNWRAPPED_PANEL
from bidsqsm.reports.panels.field_figures import (
    FAT_FRACTION_PANEL,
    RELIABILITY_PANEL,
    TOTAL_FIELD_PANEL,
)
from bidsqsm.reports.panels.histograms import HISTOGRAMS_PANEL
from bidsqsm.reports.panels.local_field_figures import LOCAL_FIELD_PANEL
from bidsqsm.reports.panels.mask_figures import MASK_PANEL
from bidsqsm.reports.panels.orientation_figures import REGISTERED_PANEL
from bidsqsm.reports.panels.rate_figures import R2PRIME_PANEL, R2STAR_PANEL
from bidsqsm.reports.panels.region_outlines import REGIONS_PANEL
from bidsqsm.reports.panels.region_values import REGION_VALUES_PANEL
from bidsqsm.reports.panels.registration_figures import FLICKER_PANEL, TEMPLATE_EDGES_PANEL
from bidsqsm.reports.panels.source_figures import SEPARATION_PANEL
from bidsqsm.reports.panels.spec import PanelSpec
from bidsqsm.reports.panels.spectra_figures import SPECTRA_PANEL
from bidsqsm.reports.panels.swi_figures import CLEAR_SWI_PANEL, SWI_PANEL, TRUE_SWI_PANEL
from bidsqsm.reports.panels.vein_figures import VEINS_PANEL

PANELS: tuple[PanelSpec, ...] = (
    MAGNITUDE_PANEL,
    PHASE_PANEL,
    UNWRAPPED_PANEL,
    TOTAL_FIELD_PANEL,
    RELIABILITY_PANEL,
    FAT_FRACTION_PANEL,
    MASK_PANEL,
    REGISTERED_PANEL,
    LOCAL_FIELD_PANEL,
    CHI_PANEL,
    CHI_LEVELS_PANEL,
    CHI_MOSAIC_PANEL,
    VESSELS_PANEL,
    HISTOGRAMS_PANEL,
    SPECTRA_PANEL,
    CONVERGENCE_PANEL,
    TEMPLATE_EDGES_PANEL,
    FLICKER_PANEL,
    REGIONS_PANEL,
    REGION_VALUES_PANEL,
    VEINS_PANEL,
    R2STAR_PANEL,
    R2PRIME_PANEL,
    CONCENTRATION_PANEL,
    SWI_PANEL,
    CLEAR_SWI_PANEL,
    TRUE_SWI_PANEL,
    DECOMPOSE_PANEL,
    SEPARATION_PANEL,
)
