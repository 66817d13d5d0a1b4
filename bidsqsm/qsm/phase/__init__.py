"""From stored phase to radians that grow with the field."""
