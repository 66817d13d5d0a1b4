"""Borders of atlas regions moved to where a subject's own maps show them."""
