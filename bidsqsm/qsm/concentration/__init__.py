"""Concentrations from susceptibility, and the line through vials of known ones."""
