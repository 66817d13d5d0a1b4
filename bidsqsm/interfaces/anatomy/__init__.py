"""Interfaces between a run, its T1w, templates and atlases."""
