"""Susceptibility MRI for BIDS datasets: QSM, field maps, R2* and their reports."""

__version__ = '0.1.0'
