"""What the app raises when a dataset, not the program, is at fault."""

from __future__ import annotations


class DatasetError(ValueError):
    """Trouble with the user's data, told in one sentence.

    The sentence names the file, what was found, what was expected and what to do; the command
    line prints it without a traceback, and a run that raises it is skipped while others go on.

    Examples
    --------
    >>> issubclass(DatasetError, ValueError)
    True

    """
