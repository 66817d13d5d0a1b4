"""The house has an order: names that tell, one list of steps, nothing said twice."""

from __future__ import annotations

import ast
import configparser
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import bidsqsm
from bidsqsm import workflows
from bidsqsm.catalog import STEPS

PACKAGE = Path(bidsqsm.__file__).parent
BUILDERS = Path(workflows.__file__).parent
ROOT = PACKAGE.parent
#: What several layers know by one name besides the steps, which have a builder or methods each.
SHARED = {'anatomy', 'cohort', 'contrasts', 'demo', 'phantom', 'resampling', 'run', 'sign'}
#: Files in which the steps of a run are listed.
LISTS = {'catalog', 'steps'}
#: A builder for each group of --products, several of which are named like the step that makes them.
GROUPS = {'contrast_steps'}
#: Words that say of what kind a thing is, but not which.
ADJECTIVES = re.compile(
    r'_?('
    r'ALIKE|APART|BROAD|CLOSE|COARSE|COHERENT|COMMON|ENOUGH|EVEN|FAINT|FARTHEST|FASTEST|'
    r'FEW|FEWEST|FINEST|FIRST|FULL|HIGH|HUGE|KNOWN|LARGE|LARGEST|LAST|LEAST|LITTLE|LOCAL|'
    r'LONGEST|LOW|MANY|MEASURED|MIDDLE|MOST|NAMED|NARROW|NEEDED|NEGATIVE|OPPOSITE|'
    r'ORTHOGONAL|OTHER|OTHERS|OUTSIDE|PARTIAL|PLAUSIBLE|POOR|RIGID|SERIOUS|SETTLED|SHALLOW|'
    r'SHORT|SHORTEST|SHOWN|SIMILAR|SINGLE|SLOW|SMALL|SMALLEST|SMOOTH|SOFT|STEADY|STEEP|'
    r'STRAIGHT|SURE|TAKEN|TALL|TINY|UNLIMITED|USUAL|WANTED|WHOLE|WIDE'
    r')'
)

Trees = Mapping[str, ast.Module]


def dotted(folder: Path, path: Path, name: str) -> str:
    parts = path.relative_to(folder).with_suffix('').parts
    return '.'.join((name, *(part for part in parts if part != '__init__')))


@pytest.fixture(scope='module')
def trees() -> Trees:
    """Every module of the package and of the workflows, parsed, by its full name."""
    found = {
        dotted(folder, path, name): ast.parse(path.read_text(encoding='utf-8'))
        for folder, name in ((PACKAGE, 'bidsqsm'), (BUILDERS, 'bidsqsm.workflows'))
        for path in folder.rglob('*.py')
        if folder is BUILDERS or path.relative_to(folder).parts[0] != 'workflows'
    }
    del found['bidsqsm'], found['bidsqsm.__main__']
    return found


def alike(modules: Iterable[str], steps: Iterable[str]) -> dict[str, list[str]]:
    """Modules that share a name, but are neither one thing in several layers nor a step in them."""
    places = defaultdict(list)
    for module in modules:
        places[module.rpartition('.')[2]].append(module)
    built = {module.rpartition('.')[2] for module in modules if '.workflows.' in module}
    known = {*SHARED, *built, *(step.replace('-', '_') for step in steps)}
    return {
        name: sorted(found)
        for name, found in places.items()
        if len(found) > 1
        and (name not in known or max(Counter(m.split('.')[1] for m in found).values()) > 1)
    }


def constants(tree: ast.Module) -> dict[str, ast.expr]:
    """What a module defines in capitals; one letter is a type."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value:
            targets, value = [node.target], node.value
        else:
            continue
        names = (target.id for target in targets if isinstance(target, ast.Name))
        found.update({name: value for name in names if name.isupper() and name.strip('_')[1:]})
    return found


def bare(trees: Trees) -> list[str]:
    """Constants whose name is no more than an adjective."""
    return sorted(
        f'{module}.{name}'
        for module, tree in trees.items()
        for name in constants(tree)
        if ADJECTIVES.fullmatch(name)
    )


def is_number(value: ast.expr) -> bool:
    """Whether an expression is a number, or a tuple of some."""
    if isinstance(value, ast.Tuple):
        return all(map(is_number, value.elts))
    if isinstance(value, ast.BinOp):
        return is_number(value.left) or is_number(value.right)
    if isinstance(value, ast.UnaryOp):
        return is_number(value.operand)
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).startswith('np.float') and is_number(value.args[0])
    return isinstance(value, ast.Constant) and isinstance(value.value, int | float)


def ambiguous(trees: Trees) -> dict[str, list[str]]:
    """Constants of one name and several values: all that others may import, and all numbers."""
    values = defaultdict(list)
    for module, tree in trees.items():
        for name, value in constants(tree).items():
            if name != 'LOGGER' and (not name.startswith('_') or is_number(value)):
                values[name.lstrip('_')].append((module, ast.unparse(value)))
    return {
        name: sorted(module for module, _ in found)
        for name, found in values.items()
        if len({text for _, text in found}) > 1
    }


def lists_of_steps(trees: Trees, steps: Iterable[str]) -> list[str]:
    """Literals that name five steps or more, elsewhere than in the table."""
    steps = set(steps)
    found = []
    for module, tree in trees.items():
        if module.rpartition('.')[2] in LISTS | GROUPS:
            continue
        for node in ast.walk(tree):
            items = node.keys if isinstance(node, ast.Dict) else getattr(node, 'elts', [])
            words = {item.value for item in items if isinstance(item, ast.Constant)}
            if len(words & steps) >= 5:
                found.append(f'{module}:{node.lineno}')
    return sorted(found)


def test_a_name_tells_one_module(trees):
    assert alike(trees, STEPS) == {}


def test_modules_of_one_name_are_found():
    modules = [
        'bidsqsm.io.values',
        'bidsqsm.cli.values',
        'bidsqsm.qsm.swi',
        'bidsqsm.workflows.swi',
    ]
    assert alike(modules, ['swi']) == {'values': ['bidsqsm.cli.values', 'bidsqsm.io.values']}
    twice = ['bidsqsm.qsm.swi', 'bidsqsm.qsm.phase.swi']
    assert alike(twice, ['swi']) == {'swi': sorted(twice)}


def test_constants_have_a_noun(trees):
    assert bare(trees) == []


def test_constants_of_one_name_have_one_value(trees):
    assert ambiguous(trees) == {}


def test_bare_and_ambiguous_constants_are_found():
    trees = {
        'a': ast.parse('WHOLE = 3e5\n_LIMIT_MM = 2.0\n_ROWS = ("a", "b")\n'),
        'b': ast.parse('_WHOLE: float = 0.75\nLIMIT_MM = -np.float32(3)\n_ROWS = ("c",)\n'),
    }
    assert bare(trees) == ['a.WHOLE', 'b._WHOLE']
    assert ambiguous(trees) == {'WHOLE': ['a', 'b'], 'LIMIT_MM': ['a', 'b']}


def test_the_steps_are_listed_once(trees):
    assert lists_of_steps(trees, STEPS) == []


def test_a_second_list_of_steps_is_found():
    steps = ['coil', 'unwrap', 'field', 'mask', 'dipole', 'swi']
    code = f'A = {steps[:5]}\nB = {dict.fromkeys(steps, 1)}\nC = {tuple(steps[:4])}\n'
    assert lists_of_steps({'bidsqsm.a': ast.parse(code)}, steps) == ['bidsqsm.a:1', 'bidsqsm.a:2']
    assert lists_of_steps({'bidsqsm.steps': ast.parse(code)}, steps) == []


def test_a_leading_underscore_is_what_makes_a_name_private(trees):
    listed = [
        module
        for module, tree in trees.items()
        if any(isinstance(node, ast.Name) and node.id == '__all__' for node in ast.walk(tree))
    ]
    assert listed == []


def test_contributing_quotes_the_law_of_layers():
    law = configparser.ConfigParser()
    law.read(ROOT / 'setup.cfg')
    rows = law['importlinter:contract:layers']['layers'].split()
    quoted = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8').split()
    start = quoted.index('bidsqsm.cli')
    assert quoted[start : start + len(rows)] == rows


def test_what_the_page_of_the_architecture_names_is_there():
    text = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
    paths = re.findall(r'`((?:[a-z_]+/)*[a-z_]+(?:/|\.py|\.bib))`', text)
    assert len(paths) > 10
    assert [path for path in paths if not (PACKAGE / path).exists()] == []
