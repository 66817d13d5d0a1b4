"""Plain files, whatever their names: NIfTI, headers, JSON, tables, and writes that are whole or none."""
