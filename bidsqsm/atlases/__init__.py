"""Atlases and templates: label images, the names of structures, files of TemplateFlow."""
