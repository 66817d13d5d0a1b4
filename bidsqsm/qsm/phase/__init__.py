"""Phase preparation: from what a scanner stored to radians free of receive and readout terms."""
