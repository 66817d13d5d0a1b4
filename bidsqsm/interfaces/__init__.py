"""Nipype interfaces: files to arrays, one call, files again."""
