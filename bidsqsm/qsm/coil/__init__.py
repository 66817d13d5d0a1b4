"""Combination of receive channels."""
