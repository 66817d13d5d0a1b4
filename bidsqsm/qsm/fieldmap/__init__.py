"""The field in ppm from the phase of one or more echoes."""
