"""The documentation says what the code does: generated tables are whole, printed commands parse."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path

import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.cli import fetch_templates
from bidsqsm.cli.demo import add_arguments, options_from
from bidsqsm.cli.parser import build_parser, parse_arguments
from bidsqsm.cli.phantom import add_arguments as add_phantom_arguments
from bidsqsm.cli.phantom import check_arguments as check_phantom_arguments
from bidsqsm.cli.roi import add_arguments as add_roi_arguments
from bidsqsm.cli.roi import check_arguments
from bidsqsm.derivatives.bibliography import works
from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.qsm.phantom.model_errors import MODEL_ERRORS
from bidsqsm.rois.region_columns import columns

ROOT = Path(__file__).parent.parent
DOCS = ROOT / 'docs'

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason='needs a source checkout')

PAGES = [ROOT / 'README.md', *sorted(DOCS.rglob('*.md'))]
BESIDE = ('demo', 'fetch-templates', 'phantom', 'roi')
METHODS = [(step, method) for step in STEPS.values() for method in step.methods]


@pytest.fixture(scope='module')
def tables():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'path', [str(DOCS), *sys.path])
        import tables as module
    return module


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with the files that the commands of the documentation name."""
    for name in ('filter.json', 'ada_ratings.tsv', 'ben_ratings.tsv'):
        (tmp_path / name).write_text('{}')
    for folder in ('derivatives/fmriprep', 'out'):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(('step', 'method'), METHODS, ids=lambda item: item.name)
def test_every_method_is_documented_with_its_parameters_and_citations(tables, step, method):
    section = tables.methods().split(f'## `--{step.option}`')[1].split('\n## ')[0]
    default = ' (default)' if method.name == step.default else ''
    part = section.split(f'### `{method.name}`{default}\n')[1].split('\n### ')[0]
    assert tables.plain(method.title) in part
    for parameter in method.parameters.values():
        row = next(line for line in part.splitlines() if line.startswith(f'| `{parameter.name}`'))
        _, *cells, _ = re.split(r'(?<!\\)\|', row)
        assert len(cells) == 4
        assert all(cell.strip() for cell in cells)
    assert all(works()[key].doi in part for key in method.cite)
    assert not re.search(r'\w\\?\]\\?_', part), 'a key that is not in the bibliography'


@pytest.mark.parametrize('key', PRODUCTS)
def test_every_product_is_documented_with_its_unit(tables, key):
    product = PRODUCTS[key]
    (row,) = [r for r in tables.outputs().splitlines() if tables.plain(product.description) in r]
    assert f'_{product.suffix}.nii.gz`' in row
    assert f'`{product.folder}/P_' in row
    assert f'| {product.units or "mask"} |' in row


def test_every_option_is_documented(tables):
    text = tables.command_line() + tables.demo_command_line() + tables.roi_command_line()
    text += tables.fetch_command_line() + tables.phantom_command_line()
    parsers = [build_parser(), *(argparse.ArgumentParser() for _ in range(4))]
    commands = (
        add_arguments,
        add_roi_arguments,
        fetch_templates.add_arguments,
        add_phantom_arguments,
    )
    for add, parser in zip(commands, parsers[1:], strict=True):
        add(parser)
    options = [s for p in parsers for a in p._actions for s in a.option_strings]  # noqa: SLF001
    assert [option for option in options if f'`{option}`' not in text] == []


def test_every_column_of_the_table_of_regions_is_documented(tables):
    text = tables.roi_columns()
    assert [name for name in columns() if f'| `{name}` |' not in text] == []
    assert '| `se` | ppm | Standard error' in text


def test_every_model_error_is_documented_with_its_size_unit_and_source(tables):
    rows = tables.model_errors().splitlines()[2:]
    assert len(rows) == len(MODEL_ERRORS)
    for row, (name, field) in zip(rows, MODEL_ERRORS.items(), strict=True):
        about = field.metadata
        assert row.startswith(f'| `{name}` |')
        assert f'{about["size"]:g}' in row
        assert about['unit'] == 'switch' or about['unit'] in row
        assert tables.plain(about['source']) in row
        assert 'doi:10.' in about['source'] or name == 'unexplained'


def test_every_generated_part_stands_on_a_page_and_leaves_no_marker(tables):
    pages = [page.read_text(encoding='utf-8') for page in PAGES]
    asked = {name for page in pages for name in re.findall(r'<!-- generated: ([\w-]+)', page)}
    assert asked == set(tables.GENERATORS)
    assert not any('<!-- generated' in tables.fill(page) for page in pages)


def test_a_page_that_asks_for_what_is_not_generated_is_refused(tables):
    with pytest.raises(ValueError, match="'method'; there are: defaults, methods"):
        tables.fill('text\n<!-- generated: method -->\n')


def test_bounds_are_told_as_the_catalogue_enforces_them(tables):
    rows = tables.methods().splitlines()
    tv, lbv = STEPS['dipole']['tv'].parameters, STEPS['background']['lbv'].parameters
    assert any(r.startswith('| `outside`') and '| above 0, below 100 |' in r for r in rows)
    assert (0 in tv['outside'].bounds, 100 in tv['outside'].bounds) == (False, False)
    assert any(r.startswith('| `padding`') and '| from 0, below 500 |' in r for r in rows)
    assert 0 in tv['padding'].bounds
    assert any(r.startswith('| `peel`') and '| 0 to 99 |' in r for r in rows)
    assert (-1 in lbv['peel'].bounds, 0 in lbv['peel'].bounds) == (False, True)


def commands_of(page: Path) -> list[list[str]]:
    """The words after ``bidsqsm`` in every command of a page, run directly or in a container."""
    found = []
    for block in re.findall(r'```bash\n(.*?)```', page.read_text(encoding='utf-8'), re.DOTALL):
        for line in re.split(r'\n|&&', block):
            words = words_of(line)
            starts = [n for n, word in enumerate(words) if word in ('bidsqsm', 'bidsqsm.sif')]
            beside = words[:1] == ['bidsqsm'] and words[1:2] and words[1] in BESIDE
            if starts and ({'participant', 'group'} & {*words} or beside):
                found.append(words[starts[-1] + 1 :])
    return found


def words_of(line: str) -> list[str]:
    """The words of a line of shell, with 01 for what the shell would fill in."""
    line = re.sub(r'\$\([^()]*\)|\$\{[^}]*\}|\$\w+', '01', line)
    if wrapped := re.search(r"--wrap '([^']*)'", line):
        line = wrapped[1]
    return shlex.split(line, comments=True)


def test_commands_are_found_in_the_readme():
    found = commands_of(ROOT / 'README.md')
    assert ['demo', 'heads'] in found
    assert ['heads', 'out', 'participant', '--atlases', 'heads/derivatives/atlas'] in found
    assert sum('-w' in words for words in found) >= 3, 'two containers and a cluster'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_printed_commands_parse(page, elsewhere):
    for words in commands_of(page):
        if words[0] == 'demo':
            parser = argparse.ArgumentParser()
            add_arguments(parser)
            options_from(parser.parse_args(words[1:]))
        elif words[0] == 'roi':
            parser = argparse.ArgumentParser()
            add_roi_arguments(parser)
            check_arguments(parser.parse_args(words[1:]))
        elif words[0] == 'phantom':
            parser = argparse.ArgumentParser()
            add_phantom_arguments(parser)
            check_phantom_arguments(parser.parse_args(words[1:]))
        elif words[0] == 'fetch-templates':
            parser = argparse.ArgumentParser()
            fetch_templates.add_arguments(parser)
            fetch_templates.wanted_from(parser.parse_args(words[1:]))
        else:
            settings = parse_arguments(words)
            assert settings.bids_dir != settings.output_dir
            if 'participant' in words:
                assert settings.work_dir not in (settings.bids_dir, settings.output_dir)


def test_the_first_block_of_the_readme_installs_and_runs_and_the_second_tests():
    blocks = re.findall(r'```bash\n(.*?)\n```', (ROOT / 'README.md').read_text(), re.DOTALL)
    for block in blocks[:2]:
        assert '\n' not in block, 'to be pasted as one line'
    assert blocks[0].startswith(
        'python3 -m venv .venv && . .venv/bin/activate && pip install . &&'
    )
    assert blocks[1].startswith('. .venv/bin/activate && ')
    assert blocks[1].endswith("pip install -e '.[test]' && pytest")


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = re.sub(r'```.*?```', '', page.read_text(encoding='utf-8'), flags=re.DOTALL)
        for link in re.findall(r'\]\(([^)#]+)[^)]*\)', text):
            if '://' not in link:
                assert (page.parent / link).exists(), f'{page.name}: {link}'


def test_the_picture_of_the_readme_is_small():
    assert 10_000 < (DOCS / 'images/demo.png').stat().st_size < 300_000
