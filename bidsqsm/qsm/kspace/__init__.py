"""Inversion by filters of k-space, fits whose conditioning is known there, and the streaks that they leave."""
