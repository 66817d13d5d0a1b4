"""Paramagnetic and diamagnetic sources that share a voxel."""
