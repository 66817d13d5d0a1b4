"""The runs of a cohort: gathered from their files, compared with their like, flagged and rated."""
