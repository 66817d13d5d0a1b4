"""Drawing of the packages and of what they import, made from the imports themselves."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).parent.parent
PACKAGE = 'bidsqsm'
WIDTH, ROW, BOX = 860, 86, 38  # of the drawing, of a layer and of a box, in pixels


def layers() -> list[list[str]]:
    """Packages in the layers of the law that ``lint-imports`` holds, the topmost first."""
    law = configparser.ConfigParser()
    law.read(ROOT / 'setup.cfg')
    rows = law['importlinter:contract:layers']['layers'].split('\n')
    return [
        [name.strip().removeprefix(f'{PACKAGE}.') for name in re.split('[|:]', row)]
        for row in rows
        if row.strip()
    ]


def modules() -> Iterator[tuple[str, Path]]:
    """Every module by the package that it belongs to, its own name where it stands alone."""
    for path in sorted((ROOT / PACKAGE).glob('**/*.py')):
        parts = path.relative_to(ROOT / PACKAGE).parts
        yield parts[0].removesuffix('.py'), path
    for path in sorted((ROOT / 'workflows').glob('**/*.py')):
        yield 'workflows', path


def imports() -> nx.DiGraph:
    """Which package imports which; ``count`` of an edge tells how many modules do."""
    known = {name for row in layers() for name in row}
    graph = nx.DiGraph()
    graph.add_nodes_from(known)
    for name, path in dict.fromkeys(modules()):
        for target in _targets(path) & known - {name} if name in known else ():
            count = graph.get_edge_data(name, target, {'count': 0})['count']
            graph.add_edge(name, target, count=count + 1)
    return graph


def _targets(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f'{node.module}.{one.name}' for one in node.names)]
        elif isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        else:
            continue
        found |= {name.split('.')[1] for name in names if name.startswith(f'{PACKAGE}.')}
    return found


def sizes() -> Mapping[str, int]:
    """Number of modules of every package."""
    count: dict[str, int] = {}
    for name, _ in dict.fromkeys(modules()):
        count[name] = count.get(name, 0) + 1
    return count


def architecture() -> str:
    """The drawing as SVG within a page: an arrow is an import that no longer way implies."""
    graph, rows, size = imports(), layers(), sizes()
    level = {name: number for number, row in enumerate(rows) for name in row}
    place = {
        name: (WIDTH * (column + 0.5) / len(row), ROW * number + BOX)
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    parts = [
        _arrow(place[one], place[other], level[other] - level[one])
        for one, other in sorted(nx.transitive_reduction(graph).edges)
    ]
    parts += [_box(name, place[name], size.get(name, 0)) for name in sorted(place)]
    head = (
        f'<svg viewBox="0 0 {WIDTH} {ROW * len(rows)}" role="img" aria-label="Packages of {PACKAGE}, '
        'the topmost layer first, with arrows to what they import" '
        'xmlns="http://www.w3.org/2000/svg" style="max-width: 100%" font-family="sans-serif">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
    )
    return '\n'.join([head, *parts, '</svg>'])


def _box(name: str, centre: tuple[float, float], count: int) -> str:
    x, y = centre
    width = 26 + 9 * len(name) + (8 * len(f'{count}') if count > 1 else 0)
    words = f'{name}' + (
        f' <tspan opacity=".6" font-size="11">{count}</tspan>' if count > 1 else ''
    )
    return (
        f'<g><title>{escape(name)}: {count} modules</title>'
        f'<rect x="{x - width / 2:.0f}" y="{y - BOX / 2:.0f}" width="{width}" height="{BOX}" rx="6" '
        'fill="var(--color-background-secondary, #f4f4f4)" stroke="currentColor"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" font-size="15" fill="currentColor">'
        f'{words}</text></g>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float], down: int) -> str:
    (x0, y0), (x1, y1) = start, end
    y0, y1 = y0 + BOX / 2, y1 - BOX / 2
    # one that passes layers bends around the boxes between
    bend = 0.0 if down == 1 else (WIDTH / 2 - abs(x0 - WIDTH / 2)) * (0.45 + 0.05 * down)
    side = 1 if x1 >= x0 else -1
    middle = (y0 + y1) / 2
    out0, out1 = (min(max(x + side * bend, BOX), WIDTH - BOX) for x in (x0, x1))
    return (
        f'<path d="M{x0:.0f} {y0:.0f}C{out0:.0f} {middle:.0f} '
        f'{out1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}" fill="none" stroke="currentColor" '
        'opacity=".55" marker-end="url(#tip)"/>'
    )
