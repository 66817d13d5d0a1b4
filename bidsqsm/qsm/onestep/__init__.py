"""One step: from the total field, or wrapped phase, to susceptibility."""
