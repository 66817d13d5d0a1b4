"""What the work folder remembers of a run from one call to the next."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bidsqsm.cli.ledger import RunState
from bidsqsm.cli.outcome import Status
from bidsqsm.cohort.run_files import OK
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.files.inventory import difference, file_entry
from bidsqsm.files.json_files import load_json, write_json
from bidsqsm.inputs.run import GreRun
from bidsqsm.reports.subject.resource_use import StepUse


class RunMemory:
    """Records of runs: how each ended, its products, facts and use of time.

    A run that failed does not take the place of one that went well.

    Parameters
    ----------
    work_dir
        The work folder.

    """

    def __init__(self, work_dir: Path) -> None:
        self._folder = work_dir / 'records'

    def keep(self, state: RunState) -> None:
        """Write down what is known of a run."""
        if state.status.status != OK and self.recall(state.run) is not None:
            return
        content = {
            'status': asdict(state.status),
            'products': {key: str(path) for key, path in state.products.items()},
            'entries': {
                key: file_entry(path) for key, path in state.products.items() if path.is_file()
            },
            'facts': state.facts.plain(),
            'used': {node: asdict(use) for node, use in state.used.items()},
            'methods': state.methods,
        }
        path = self._path(state.run)
        if path.is_dir():  # damage
            shutil.rmtree(path)
        write_json(path, content)

    def used(self, run: GreRun) -> Mapping[str, Any]:
        """What the steps of a run took in an earlier call, as it was written down."""
        used = self._content(run).get('used')
        known = {field.name for field in fields(StepUse)}
        return {
            node: use
            for node, use in (used.items() if isinstance(used, dict) else ())
            if isinstance(use, dict) and {*use} == known
        }

    def recall(self, run: GreRun) -> RunState | None:
        """A run that went well in an earlier call and whose products are what they were."""
        content = self._content(run)
        try:
            products = {key: Path(path) for key, path in content['products'].items()}
            changed = any(difference(path, content['entries'][k]) for k, path in products.items())
            status, facts = Status(**content['status']), RunFacts.of(content['facts'])
            used = {node: StepUse(**use) for node, use in content.get('used', {}).items()}
            methods = content.get('methods', {})
        except (KeyError, TypeError, AttributeError, ValueError, OSError):
            return None
        if changed or status.status != OK:
            return None
        return RunState(run, status, products, facts, used, methods)

    def _path(self, run: GreRun) -> Path:
        return self._folder / f'{run.name}.json'

    def _content(self, run: GreRun) -> dict[str, Any]:
        """Content of a record; empty where there is nothing to read."""
        try:
            content = load_json(self._path(run))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}
