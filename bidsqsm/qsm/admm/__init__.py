"""The alternating direction method of multipliers: its iterations, data terms and penalties."""
