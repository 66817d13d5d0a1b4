"""What a report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.reports.subject.resource_use import StepUse


@dataclass(frozen=True)
class RunRecord:
    """What became of one run.

    Parameters
    ----------
    run
        The run, or what was skipped and why.
    status
        Content of its status file: status, reason, warnings, versions, crash, command.
    products
        NIfTI files by their key in :data:`bidsqsm.derivatives.products.PRODUCTS` (and ``phase``, the
        prepared phase), in the work folder or among the derivatives.
    provenance
        See :func:`bidsqsm.derivatives.sidecars.provenance`; empty for a run that was skipped.
    used
        What its steps took, in the order in which they ended.

    """

    run: GreRun | Skipped
    status: Mapping[str, Any]
    products: Mapping[str, Path] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    used: Sequence[StepUse] = ()

    @property
    def decisions(self) -> RunFacts:
        """What its steps decided."""
        decisions: RunFacts = self.provenance.get('Decisions', RunFacts())
        return decisions
