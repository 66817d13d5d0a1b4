"""Background field removal: the total field less what sources outside the mask make."""
