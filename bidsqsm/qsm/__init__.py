"""Numerics of phase, field and susceptibility: arrays in, arrays out."""
