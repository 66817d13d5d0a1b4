"""Processors and memory that this process may use: affinity, cgroup, SLURM; never the whole node."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_UNITS = {'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}

# cgroup v1 writes "no limit" as a number near 2**63
_NO_LIMIT_BYTES = 2**60


def parse_memory(text: str) -> float:
    """Read an amount of memory such as ``8G`` or ``8000`` (megabytes); in GB (2**30 bytes).

    Examples
    --------
    >>> parse_memory('8G'), parse_memory('512'), parse_memory('0.5t')
    (8.0, 0.5, 512.0)

    """
    found = re.fullmatch(r'(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?)(?:i?B)?', text.strip(), re.IGNORECASE)
    if not found or float(found[1]) == 0:
        raise ValueError(
            f'expected an amount of memory such as 8G or 8000 (megabytes), got {text!r}'
        )
    return float(found[1]) * _UNITS[found[2].upper() or 'M'] / 2**30


def available_cpus(environ: Mapping[str, str] = os.environ, root: Path = Path('/')) -> int:
    """Count the processors of this process: the least of affinity, cgroup quota and SLURM's share."""
    counts = [float(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1)]
    counts += [*_cpu_quotas(root)]
    given = environ.get('SLURM_CPUS_PER_TASK', '')
    if given.isdigit():
        counts.append(float(given))
    return max(1, math.floor(min(counts)))


def available_memory(environ: Mapping[str, str] = os.environ, root: Path = Path('/')) -> float:
    """Memory for this process, in GB: nine tenths of what is free, of the cgroup's and SLURM's limit.

    The tenth left is for the parent process, which schedules and writes reports.
    """
    limits = [*_memory_limits(root), *_slurm_memory(environ)]
    found = re.search(r'^MemAvailable:\s+(\d+) kB', _read(root / 'proc/meminfo'), re.MULTILINE)
    if found:
        limits.append(int(found[1]) * 1024)
    return 0.9 * min(limits, default=4 * 2**30) / 2**30


def _cpu_quotas(root: Path) -> Iterator[float]:
    for folder in _cgroup_folders(root, 'cpu'):
        quota, _, period = _read(folder / 'cpu.max').partition(' ')
        quota = quota or _read(folder / 'cpu.cfs_quota_us')
        period = period or _read(folder / 'cpu.cfs_period_us')
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    for folder in _cgroup_folders(root, 'memory'):
        for name in ('memory.max', 'memory.high', 'memory.limit_in_bytes'):
            text = _read(folder / name)
            if text.isdigit() and int(text) < _NO_LIMIT_BYTES:
                yield int(text)


def _slurm_memory(environ: Mapping[str, str]) -> Iterator[float]:
    per_node = environ.get('SLURM_MEM_PER_NODE', '')
    per_cpu = environ.get('SLURM_MEM_PER_CPU', '')
    cpus = environ.get('SLURM_CPUS_PER_TASK', '1')
    if _is_amount(per_node):  # "0" asks for all of the node's memory
        yield parse_memory(per_node) * 2**30
    if _is_amount(per_cpu) and cpus.isdigit():
        yield parse_memory(per_cpu) * 2**30 * int(cpus)


def _is_amount(text: str) -> bool:
    try:
        return parse_memory(text) > 0
    except ValueError:
        return False


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's cgroup and of its parents, whose limits all hold."""
    mount = root / 'sys/fs/cgroup'
    for line in _read(root / 'proc/self/cgroup').splitlines():
        _, controllers, path = line.split(':', 2)
        if controllers and controller not in controllers.split(','):
            continue
        top = mount / controller if controllers else mount
        group = top / path.lstrip('/')
        # in a container the path may be the host's, of which only the top is mounted
        while group != top:
            yield group
            group = group.parent
        yield top


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ''
