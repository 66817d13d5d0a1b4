"""Registration of images of one head, and of a head with a template."""
