"""Workflows of the contrasts besides susceptibility."""
