"""Interfaces of the contrasts besides susceptibility."""
