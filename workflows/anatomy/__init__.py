"""Where a run lies: registration, regions, and maps in other spaces."""
