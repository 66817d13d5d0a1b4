"""Oxygen saturation of venous blood from the susceptibility of large veins."""
