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


#: What a last line says of it
NO_MEMORY = 'bidsqsm failed: memory ran out: give the job more'


def is_of_memory(error: BaseException) -> bool:
    """Whether an error, or what it came from, says that no more memory could be had.

    Examples
    --------
    >>> is_of_memory(MemoryError()), is_of_memory(OSError(12, 'Cannot allocate memory'))
    (True, True)
    >>> is_of_memory(ImportError('a.so: failed to map segment from shared object'))
    True
    >>> is_of_memory(ImportError('no module named a'))
    False

    """
    cause = error.__cause__ or error.__context__
    if cause is not None and is_of_memory(cause):
        return True
    said = 'failed to map segment' in str(error) or 'allocate memory' in str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, ImportError | OSError) and said)
