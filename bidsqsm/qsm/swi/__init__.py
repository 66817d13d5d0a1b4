"""Susceptibility-weighted images: magnitudes that phase or susceptibility darkens."""
