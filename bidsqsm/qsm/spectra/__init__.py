"""Spectra of the noise and of the susceptibility, from the field itself; weights that follow from them."""
