"""What each step of a run decided or measured: a small frozen type for every step."""
