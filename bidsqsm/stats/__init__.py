"""Statistics over the runs of a cohort: tables of numbers in, judgements out."""
