"""Sources below the size of a voxel, from the decay and the phase over many echoes."""
