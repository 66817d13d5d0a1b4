"""Colours and windows that the pictures, the viewer and the thumbnails share."""

from __future__ import annotations

from collections.abc import Mapping

CHI_WINDOW_PPM = (-0.1, 0.1)

#: Masks, later ones on top: label and colour of the outline.
MASK_STYLES: Mapping[str, tuple[str, str]] = {
    'quality_mask': ('good phase', '#e4572e'),
    'template_mask': ('template', '#cc79a7'),
    'magnitude_mask': ('magnitude', '#00b388'),
    'brain_mask': ('brain', '#ffd23f'),
    'holed_mask': ('first pass', '#ffffff'),
    'qsm_mask': ('susceptibility', '#35c3ff'),
}

#: Regions, in colours that those who confuse red and green tell apart, on gray; after Okabe and
#: Ito. What lies at one level differs most.
REGION_COLOURS: Mapping[str, str] = {
    'caudate': '#56b4e9',
    'putamen': '#e69f00',
    'pallidum': '#ff5e3a',
    'thalamus': '#ffffff',
    'substantia_nigra': '#f0e442',
    'red_nucleus': '#ff8fd0',
    'subthalamic_nucleus': '#00d09a',
    'dentate_nucleus': '#8f9bff',
}
OTHER_REGION_COLOUR = '#9fb0c0'
