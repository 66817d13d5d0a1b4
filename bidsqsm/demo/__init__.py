"""The simulated dataset: heads, their files as a scanner would write them, and their truth."""
