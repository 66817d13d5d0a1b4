"""What joins the steps of a run: links, and where products and facts come from."""

from __future__ import annotations

from collections.abc import Mapping

#: Which output of a step goes to which input of another.
LINKS = (
    ('phase_wf.phase', 'fieldmap_wf.phase'),
    ('phase_wf.magnitude', 'fieldmap_wf.magnitude'),
    ('phase_wf.magnitude', 'masking_wf.magnitude'),
    ('fieldmap_wf.quality', 'masking_wf.quality'),
    ('fieldmap_wf.residual', 'masking_wf.residual'),
    ('phase_wf.magnitude', 'relaxometry_wf.magnitude'),
    ('masking_wf.brain_mask', 'relaxometry_wf.mask'),
    ('fieldmap_wf.total_field', 'relaxometry_wf.total_field'),
    ('fieldmap_wf.total_field', 'sign_wf.total_field'),
    ('fieldmap_wf.unwrapped', 'sign_wf.unwrapped'),
    ('masking_wf.qsm_mask', 'sign_wf.mask'),
    ('relaxometry_wf.r2star', 'sign_wf.r2star'),
    ('sign_wf.total_field', 'background_wf.total_field'),
    ('masking_wf.qsm_mask', 'background_wf.mask'),
    ('fieldmap_wf.noise', 'background_wf.noise'),
    ('background_wf.local_field', 'dipole_wf.local_field'),
    ('background_wf.mask', 'dipole_wf.mask'),
    ('masking_wf.qsm_mask', 'dipole_wf.support'),
    ('fieldmap_wf.noise', 'dipole_wf.noise'),
    ('phase_wf.magnitude_rss', 'dipole_wf.magnitude'),
    ('relaxometry_wf.r2star', 'dipole_wf.r2star'),
    ('sign_wf.total_field', 'onestep_wf.total_field'),
    ('sign_wf.facts', 'onestep_wf.sign'),
    ('masking_wf.qsm_mask', 'onestep_wf.mask'),
    ('fieldmap_wf.noise', 'onestep_wf.noise'),
    ('phase_wf.phase', 'onestep_wf.phase'),
    ('phase_wf.magnitude', 'onestep_wf.magnitude'),
    ('phase_wf.magnitude_rss', 'onestep_wf.magnitude_rss'),
    ('relaxometry_wf.r2star', 'onestep_wf.r2star'),
    ('onestep_wf.chi', 'reference_wf.chi'),
    ('onestep_wf.mask', 'reference_wf.mask'),
    ('dipole_wf.chi', 'reference_wf.chi'),
    ('dipole_wf.mask', 'reference_wf.mask'),
    ('relaxometry_wf.r2star', 'reference_wf.r2star'),
    ('reference_wf.chi', 'concentration_wf.chi'),
    ('onestep_wf.mask', 'concentration_wf.mask'),
    ('dipole_wf.mask', 'concentration_wf.mask'),
    ('phase_wf.magnitude', 'swi_wf.magnitude'),
    ('phase_wf.phase', 'swi_wf.map'),
    ('sign_wf.facts', 'swi_wf.sign'),
    ('masking_wf.brain_mask', 'swi_wf.mask'),
    ('phase_wf.magnitude', 'clear_swi_wf.magnitude'),
    ('sign_wf.unwrapped', 'clear_swi_wf.map'),
    ('masking_wf.brain_mask', 'clear_swi_wf.mask'),
    ('phase_wf.magnitude', 'true_swi_wf.magnitude'),
    ('reference_wf.chi', 'true_swi_wf.map'),
    ('masking_wf.brain_mask', 'true_swi_wf.mask'),
)

#: Where every product comes from, in the order in which a run makes them.
PRODUCTS: Mapping[str, str] = {
    'magnitude_rss': 'phase_wf.magnitude_rss',
    'quality': 'fieldmap_wf.quality',
    'noise': 'fieldmap_wf.noise',
    'residual': 'fieldmap_wf.residual',
    'water': 'fieldmap_wf.water',
    'fat': 'fieldmap_wf.fat',
    'fat_fraction': 'fieldmap_wf.fat_fraction',
    'waterfat_r2star': 'fieldmap_wf.waterfat_r2star',
    'brain_mask': 'masking_wf.brain_mask',
    'magnitude_mask': 'masking_wf.magnitude_mask',
    'template_mask': 'masking_wf.template_mask',
    'quality_mask': 'masking_wf.quality_mask',
    'r2star': 'relaxometry_wf.r2star',
    't2star': 'relaxometry_wf.t2star',
    's0': 'relaxometry_wf.s0',
    'r2star_error': 'relaxometry_wf.r2star_error',
    'n_echoes': 'relaxometry_wf.n_echoes',
    'unwrapped': 'sign_wf.unwrapped',
    'total_field': 'sign_wf.total_field',
    'local_field': 'background_wf.local_field',
    'qsm_mask': 'dipole_wf.mask',
    'holed_mask': 'passes_wf.holed_mask',
    'chi': 'reference_wf.chi',
    'reference_mask': 'reference_wf.region',
    'iron': 'concentration_wf.iron',
    'gadolinium': 'concentration_wf.gadolinium',
    'swi': 'swi_wf.swi',
    'swi_diamagnetic': 'swi_wf.swi_diamagnetic',
    'minip': 'swi_wf.minip',
    'minip_diamagnetic': 'swi_wf.minip_diamagnetic',
    'clear_swi': 'clear_swi_wf.clear_swi',
    'clear_minip': 'clear_swi_wf.clear_minip',
    'true_swi': 'true_swi_wf.true_swi',
    'true_minip': 'true_swi_wf.true_minip',
}

#: Where these come from in a run without a step for the background.
ONE_STEP: Mapping[str, str] = {
    'local_field': 'onestep_wf.local_field',
    'qsm_mask': 'onestep_wf.mask',
}

#: What the report shows besides.
SHOWN: Mapping[str, str] = {
    'phase': 'phase_wf.phase',
    'roi_labels': 'rois_wf.shown_labels',
    'roi_table': 'rois_wf.shown_table',
}

#: Where the facts of every step come from.
FACTS: Mapping[str, str] = {
    'phase': 'phase_wf.facts',
    'unwrap': 'fieldmap_wf.unwrap_facts',
    'field': 'fieldmap_wf.field_facts',
    'registration': 'anatomical_wf.summary',
    'mask': 'masking_wf.facts',
    'relaxometry': 'relaxometry_wf.facts',
    'sign': 'sign_wf.facts',
    'background': 'background_wf.facts',
    'dipole': 'dipole_wf.facts',
    'onestep': 'onestep_wf.facts',
    'two_pass': 'passes_wf.facts',
    'joint': 'joint_wf.facts',
    'reference': 'reference_wf.facts',
    'concentration': 'concentration_wf.facts',
    'swi': 'swi_wf.facts',
    'clear_swi': 'clear_swi_wf.facts',
    'true_swi': 'true_swi_wf.facts',
    'alignment': 'alignment_wf.summary',
}
