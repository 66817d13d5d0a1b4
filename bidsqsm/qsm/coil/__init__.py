"""Combination of uncombined receive channels."""
