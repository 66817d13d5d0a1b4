"""What the app raises when a dataset, not the program, is at fault."""

from __future__ import annotations

#: Sentences quote what a file holds, which may be long; more of it than this is left out.
_LONGEST_SENTENCE = 4000


class DatasetError(ValueError):
    """Trouble with the user's data, told in one sentence.

    The sentence names the file, what was found, what was expected and what to do; the command
    line prints it without a traceback, and a run that raises it is skipped while others go on.

    Examples
    --------
    >>> issubclass(DatasetError, ValueError)
    True

    """

    def __init__(self, sentence: str) -> None:
        super().__init__(shortened(sentence))


def shortened(sentence: str, most: int = _LONGEST_SENTENCE) -> str:
    """A sentence of bearable length, its middle left out where it quotes too much.

    Examples
    --------
    >>> len(shortened('a' * 10_000_000))
    4007

    """
    half = most // 2
    if len(sentence) <= 2 * half:
        return sentence
    return f'{sentence[:half]} [...] {sentence[-half:]}'
