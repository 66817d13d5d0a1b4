"""Brain and QSM masks from the images themselves."""
