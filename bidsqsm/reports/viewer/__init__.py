"""The viewer of a run: its layers, their encoding, its page and script."""
