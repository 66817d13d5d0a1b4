"""Files in and out: NIfTI, BIDS input, BIDS derivatives."""
