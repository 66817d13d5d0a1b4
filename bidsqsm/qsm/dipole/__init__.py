"""Dipole inversion: from the local field to susceptibility."""
