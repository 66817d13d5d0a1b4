"""What zero susceptibility means."""
