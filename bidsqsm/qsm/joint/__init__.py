"""Joint inversion of the fields of several orientations."""
