"""A dataset read: its files, their names and metadata, runs and results that others computed."""
