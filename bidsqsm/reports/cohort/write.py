"""Writes the page and the tables of a cohort."""

from __future__ import annotations

from pathlib import Path

from bidsqsm.cohort.flags import CohortFlags
from bidsqsm.cohort.gather import Cohort
from bidsqsm.files.atomic import write_text
from bidsqsm.reports.cohort.cohort_page import render
from bidsqsm.reports.cohort.tables import (
    metrics_table,
    outliers_table,
    regions_table,
    runs_table,
)


def write_cohort(output_dir: Path, cohort: Cohort, judged: CohortFlags, title: str) -> Path:
    """Write ``group.html`` and the tables beside it.

    Parameters
    ----------
    output_dir
        Root of the derivative dataset.
    cohort
        What its runs left.
    judged
        What their numbers say.
    title
        Name of the cohort.

    Returns
    -------
    The page.

    """
    tables = {
        'runs': runs_table(cohort, judged),
        'metrics': metrics_table(cohort.runs, judged.columns),
        'regions': regions_table(cohort.runs),
        'outliers': outliers_table(cohort.runs, judged),
    }
    page = render(cohort, judged, title)
    for name, (table, about) in tables.items():
        write_text(output_dir / f'group_{name}.tsv', table)
        write_text(output_dir / f'group_{name}.json', about)
    return write_text(output_dir / 'group.html', page)
