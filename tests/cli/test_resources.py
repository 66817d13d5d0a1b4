"""Processors and memory are those of this process, not of the whole node."""

from __future__ import annotations

import os

import pytest

from bidsqsm.cli.resources import available_cpus, available_memory, parse_memory

GB = 2**30


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A node with 64 processors and 256 GB free, all open to this process."""
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(64)), raising=False)
    write(tmp_path, {'proc/meminfo': f'MemTotal: 9 kB\nMemAvailable:  {256 * GB // 1024} kB\n'})
    return tmp_path


def test_without_limits_the_affinity_and_the_free_memory_count(machine):
    assert available_cpus({}, machine) == 64
    assert available_memory({}, machine) == pytest.approx(0.9 * 256)


def test_the_tightest_parent_group_limits_version_2(machine):
    write(
        machine,
        {
            'proc/self/cgroup': '0::/job/step\n',
            'sys/fs/cgroup/job/cpu.max': '350000 100000\n',
            'sys/fs/cgroup/job/step/cpu.max': 'max 100000\n',
            'sys/fs/cgroup/job/memory.max': f'{8 * GB}\n',
            'sys/fs/cgroup/job/step/memory.max': 'max\n',
        },
    )
    assert available_cpus({}, machine) == 3
    assert available_memory({}, machine) == pytest.approx(0.9 * 8)


def test_version_1_limits_are_read_and_its_no_limit_is_none(machine):
    write(
        machine,
        {
            'proc/self/cgroup': '4:memory:/a\n3:cpu,cpuacct:/a\n',
            'sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '200000',
            'sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000',
            'sys/fs/cgroup/memory/a/memory.limit_in_bytes': f'{2**63 - 4096}',
        },
    )
    assert available_cpus({}, machine) == 2
    assert available_memory({}, machine) == pytest.approx(0.9 * 256)


def test_in_a_container_the_limits_lie_at_the_top(machine):
    write(
        machine,
        {
            'proc/self/cgroup': '0::/not/mounted/here\n',
            'sys/fs/cgroup/memory.max': f'{4 * GB}',
        },
    )
    assert available_memory({}, machine) == pytest.approx(0.9 * 4)


def test_the_share_of_slurm_limits(machine):
    environ = {'SLURM_CPUS_PER_TASK': '4', 'SLURM_MEM_PER_NODE': '16384'}
    assert available_cpus(environ, machine) == 4
    assert available_memory(environ, machine) == pytest.approx(0.9 * 16)
    environ = {'SLURM_CPUS_PER_TASK': '4', 'SLURM_MEM_PER_CPU': '2G'}
    assert available_memory(environ, machine) == pytest.approx(0.9 * 8)


def test_slurm_gives_the_whole_node_with_zero(machine):
    assert available_memory({'SLURM_MEM_PER_NODE': '0'}, machine) == pytest.approx(0.9 * 256)


@pytest.mark.parametrize(
    ('text', 'gb'), [('8G', 8), ('8192', 8), ('8192M', 8), ('2.5g', 2.5), ('1T', 1024), ('1GB', 1)]
)
def test_memory_is_read_with_its_unit(text, gb):
    assert parse_memory(text) == pytest.approx(gb)


@pytest.mark.parametrize('text', ['', '8X', '-1', 'lots', '0'])
def test_a_wrong_amount_is_explained(text):
    with pytest.raises(ValueError, match='such as 8G or 8000'):
        parse_memory(text)
