"""``python -m bidsqsm`` and the console script: the app, or one of its sub-commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from bidsqsm.errors import NO_MEMORY, is_of_memory

#: Sub-commands and the modules whose ``main`` takes their arguments.
COMMANDS = {
    'demo': 'bidsqsm.cli.demo',
    'fetch-templates': 'bidsqsm.cli.fetch_templates',
    'phantom': 'bidsqsm.cli.phantom',
    'roi': 'bidsqsm.cli.roi',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        return _main(argv)
    except KeyboardInterrupt:  # while the app was still being loaded, or by a sub-command
        sys.stderr.write('bidsqsm failed: interrupted\n')
        return 130
    except (MemoryError, ImportError, OSError) as error:
        if not is_of_memory(error):
            raise
        sys.stderr.write(f'{NO_MEMORY}\n')
        return 1


def _main(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    # a dataset may be called demo, too
    if arguments[:1] and arguments[2:3] not in (['participant'], ['group']):
        module = COMMANDS.get(arguments[0])
        if module:
            code: int = import_module(module).main(arguments[1:])
            return code
    from bidsqsm.cli.run import main as run

    return run(arguments)


if __name__ == '__main__':
    sys.exit(main())
