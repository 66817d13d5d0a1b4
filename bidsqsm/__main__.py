"""``python -m bidsqsm`` and the console script: the app, or ``bidsqsm demo``."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # a dataset may be called demo, too
    if arguments[:1] == ['demo'] and arguments[2:3] not in (['participant'], ['group']):
        from bidsqsm.cli.demo import main as demo

        return demo(arguments[1:])
    from bidsqsm.cli.run import main as run

    return run(arguments)


if __name__ == '__main__':
    sys.exit(main())
