"""Measures of the quality of a run, from its own images."""
