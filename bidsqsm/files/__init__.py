"""Plain files, whatever their names: NIfTI, headers, and writes that are whole or none."""
