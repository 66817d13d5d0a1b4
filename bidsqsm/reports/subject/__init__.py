"""The page of a subject, section by section."""
