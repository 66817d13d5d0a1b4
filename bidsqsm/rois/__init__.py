"""Values of labelled regions: statistics, their errors, published ranges and the table of all."""
