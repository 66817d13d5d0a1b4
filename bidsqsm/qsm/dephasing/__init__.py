"""Signal that is lost where the field changes across a voxel."""
