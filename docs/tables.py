"""Parts of the documentation that are read off the code: methods, outputs, options, benchmarks."""

from __future__ import annotations

import argparse
import ast
import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from architecture import architecture

from bidsqsm.catalog import STEPS
from bidsqsm.cli import fetch_templates
from bidsqsm.cli.demo import add_arguments
from bidsqsm.cli.parser import build_parser
from bidsqsm.cli.phantom import add_arguments as add_phantom_arguments
from bidsqsm.cli.roi import add_arguments as add_roi_arguments
from bidsqsm.derivatives.bibliography import works
from bidsqsm.derivatives.extra_files import ExtraFile
from bidsqsm.derivatives.product_groups import DEFAULT_GROUPS, GROUPS
from bidsqsm.derivatives.products import JOINT_PRODUCTS, PRODUCTS, image_path
from bidsqsm.interfaces.anatomy.resampling import IN_MASKS, IN_SPACES
from bidsqsm.method import Method, Parameter, Step, as_text
from bidsqsm.qsm.bounds import From, OneOf, Readable
from bidsqsm.qsm.phantom.model_errors import MODEL_ERRORS
from bidsqsm.qsm.quality.metric import METRIC_STAGES, Metric
from bidsqsm.qsm.quality.metric_table import METRICS
from bidsqsm.reports.cohort.tables import OUTLIERS, RUNS
from bidsqsm.reports.panels.page_order import PANELS
from bidsqsm.rois.literature import RANGES, published_range
from bidsqsm.rois.region_columns import columns
from bidsqsm.steps import RUN_STEPS

_MARKER = re.compile(r'^<!-- generated: ([\w-]+) -->$', re.MULTILINE)
_BENCHMARKS = Path(__file__).parent.parent / 'benchmarks'
_SUBJECT = {'sub': '01'}
_SPECIAL = re.compile(r'([\\`*_{}\[\]<>#|$])')


def fill(page: str) -> str:
    """Replace every line ``<!-- generated: NAME -->`` of a page by what NAME generates."""

    def generated(marker: re.Match[str]) -> str:
        if marker[1] not in GENERATORS:
            raise ValueError(
                f'nothing generates {marker[1]!r}; there are: {", ".join(GENERATORS)}'
            )
        return GENERATORS[marker[1]]()

    return _MARKER.sub(generated, page)


def defaults() -> str:
    """One line for every step: what it makes and which method makes it by default."""
    rows = [
        (f'`--{step.option}`', plain(step.takes), plain(step.gives), _default(step))
        for step in STEPS.values()
    ]
    return table(('step', 'takes', 'gives', 'default'), rows)


def _default(step: Step) -> str:
    place = ' or '.join(f'`--{name}`' for name in step.replaces)
    return f'`{step.default}`' + (f', unless {place} is given' if place else '')


def steps() -> str:
    """Every step of a run, in order, with its workflow and the group that it belongs to."""
    rows = [
        (
            f'`{step.name}`',
            f'`{step.outer_workflow}`' + (f', `{step.workflow}`' if step.inside else ''),
            f'`{step.group}`' if step.group else 'any',
            ', '.join(f'`{name}`' for name in step.needs),
        )
        for step in RUN_STEPS.values()
    ]
    return table(('step', 'workflow', 'products', 'told with'), rows)


def methods() -> str:
    """Every method of the catalogue under its step, with parameters and citations."""
    parts = []
    for step in STEPS.values():
        parts.append(f'## `--{step.option}`\n\nFrom {plain(step.takes)} to {plain(step.gives)}.')
        if step.replaces:
            parts.append(f'Default: {_default(step)}.')
        for method in step.methods:
            mark = ' (default)' if method.name == step.default else ''
            parts.append(_method(method, mark))
    return '\n\n'.join(parts)


def _method(method: Method, mark: str) -> str:
    parts = [f'### `{method.name}`{mark}', f'**{plain(method.title)}.**']
    if text := _explanation(method):
        parts.append(f'```{{eval-rst}}\n{text}\n```')
    if method.parameters:
        rows = [_parameter(p) for p in method.parameters.values()]
        parts.append(table(('parameter', 'default', 'allowed', 'meaning'), rows))
    else:
        parts.append('No parameters.')
    if method.takes('weight_map'):
        parts.append('Weights the data by one over the noise of the field.')
    known = works()
    parts.append('\n'.join(f'- {_reference(known[key])}' for key in method.cite))
    return '\n\n'.join(parts)


def _explanation(method: Method) -> str:
    """What the docstring says before its list of parameters."""
    return _cited(method.doc.partition('\n')[2].partition('\nParameters\n')[0].strip())


def _cited(text: str) -> str:
    """Text with authors and years in place of the keys of citations."""
    known = works()
    return re.sub(
        r'\[(\w+)\]_', lambda m: f'({known[m[1]].short})' if m[1] in known else m[0], text
    )


def _parameter(parameter: Parameter) -> tuple[str, str, str, str]:
    meaning = plain(re.sub(r':math:(?=`)', '{math}', _cited(parameter.help)))
    default = 'required' if parameter.required else f'`{as_text(parameter.default)}`'
    return f'`{parameter.name}`', default, plain(_allowed(parameter)), meaning


def _allowed(parameter: Parameter) -> str:
    bounds = parameter.bounds
    if parameter.type is bool:
        return 'yes or no'
    if isinstance(bounds, OneOf):
        return ', '.join(bounds.words)
    if isinstance(bounds, Readable):
        return f'path of {bounds.what}'
    if bounds is None:
        return {int: 'whole number', float: 'number'}.get(parameter.type, 'word')
    closed = isinstance(bounds, From)
    if parameter.type is int:
        return f'{bounds.low + (not closed):g} to {bounds.high - 1:g}'
    start = f'{"from" if closed else "above"} {bounds.low:g}'
    return f'{start}, below {bounds.high:g}' if bounds.high < math.inf else start


def _reference(work: Any) -> str:
    link = f' [doi:{work.doi}](https://doi.org/{work.doi})' if work.doi else ''
    return plain(work.printed()) + link


def groups() -> str:
    """What ``--products`` chooses between."""
    rows = [
        (
            f'`{name}`',
            plain(group.title),
            f'`--{STEPS[group.step].option}`' if group.step else '',
            'yes' if name in DEFAULT_GROUPS else 'no',
        )
        for name, group in GROUPS.items()
    ]
    return table(('name', 'what', 'how, by', 'made by default'), rows)


def outputs() -> str:
    """Every product: its file, its unit and what it is."""
    rows = []
    for product in (*PRODUCTS.values(), *JOINT_PRODUCTS.values()):
        name = f'{image_path(_SUBJECT, product, 1 if product.per_echo else None)}'
        name = name.removeprefix('sub-01/').replace('sub-01', 'P').replace('echo-1', 'echo-N')
        unit = 'mask' if product.mask_type else product.units
        rows.append((f'`{name}`', plain(f'{unit}'), plain(product.description)))
    return table(('file', 'unit', 'meaning'), rows)


def anatomy_outputs() -> str:
    """Files of atlases, of registration and of other spaces."""
    rows = [(f'`{name}`', plain(unit), plain(text)) for name, unit, text in _anatomy_outputs()]
    return table(('file', 'unit', 'meaning'), rows)


def _anatomy_outputs() -> Iterator[tuple[str, str, str]]:
    labels = 'Labels of the atlas (or of a segmentation that was given) on the grid of the run'
    for entities, more in (({}, ''), ({'desc': 'refined'}, ', borders settled by the maps')):
        about = {'atlas': '<name>', **entities}
        yield _extra(about, 'dseg', '.nii.gz'), 'index', f'{labels}{more}'
        yield _extra(about, 'dseg', '.tsv'), '', f'Table of its regions{more}'
    yield 'atlas-<name>_description.json', '', 'At the root: name, licence and source of the atlas'
    for start, end, ending in (
        ('orig', 'T1w', '.txt'),
        ('T1w', '<template>', '.h5'),
        ('orig', '<template>', '.h5'),
    ):
        where = '; without a T1w' if (start, end) == ('orig', '<template>') else ''
        for a, b in ((start, end), (end, start)):
            text = f'Transform: resamples images of {a} onto the grid of {b}{where}'
            yield _extra({'from': a, 'to': b, 'mode': 'image'}, 'xfm', ending), '', text
    for key in (*IN_SPACES, *IN_MASKS):
        product = PRODUCTS[key]
        about = {'space': '<template>', **({'desc': product.desc} if product.desc else {})}
        unit = 'mask' if product.mask_type else f'{product.units}'
        yield (
            _extra(about, product.suffix, '.nii.gz'),
            unit,
            f'On the grid of the template: {product.description}',
        )


def _extra(entities: Mapping[str, str], suffix: str, extension: str) -> str:
    path = ExtraFile(Path(), entities, suffix, extension).path(_SUBJECT)
    return f'{path}'.removeprefix('sub-01/').replace('sub-01', 'P')


def command_line() -> str:
    """Every option of the app."""
    return _options(build_parser())


def demo_command_line() -> str:
    """Every option of the demo."""
    parser = argparse.ArgumentParser(prog='bidsqsm demo')
    add_arguments(parser)
    return _options(parser)


def model_errors() -> str:
    """Every model error of the simulated heads: size, meaning and source."""
    rows = []
    for name, field in MODEL_ERRORS.items():
        about = field.metadata
        size = f'{about["size"]:g}' + (f' {about["unit"]}' if about['unit'] != 'switch' else '')
        held = size if about['people'] else 'none'
        rows.append((f'`{name}`', plain(about['about']), size, held, plain(about['source'])))
    head = ('name', 'what it is', 'size if not given', 'in `people`', 'source')
    return table(head, rows)


def roi_command_line() -> str:
    """Every option of the measurement of regions."""
    parser = argparse.ArgumentParser(prog='bidsqsm roi')
    add_roi_arguments(parser)
    return _options(parser)


def phantom_command_line() -> str:
    """Every option of the fit to the vials of a phantom."""
    parser = argparse.ArgumentParser(prog='bidsqsm phantom')
    add_phantom_arguments(parser)
    return _options(parser)


def roi_columns() -> str:
    """Every column of the table of regions, with its unit and its meaning."""
    rows = [
        (f'`{name}`', plain(about.get('Units', '')), plain(about['Description']))
        for name, about in columns().items()
    ]
    return table(('column', 'unit', 'meaning'), rows)


def roi_ranges() -> str:
    """The published ranges, in ppb: of any adult, and at some ages."""
    ages = (25, 45, 65, 85)
    known, rows = works(), []
    for structure, one in RANGES.items():
        spans = [published_range(structure, age) for age in (None, *ages)]
        shown = [f'{1000 * low:.0f} to {1000 * high:.0f}' for low, high in spans]
        rows.append(
            (structure.replace('_', ' '), *shown, '; '.join(known[k].short for k in one.cite))
        )
    return table(('structure', 'adults', *(f'{age} years' for age in ages), 'sources'), rows)


def roi_sources() -> str:
    """The works that the published ranges and their course with age come from."""
    keys = dict.fromkeys(key for one in RANGES.values() for key in one.cite)
    keys |= dict.fromkeys(('langkammer2012', 'persson2015'))
    return '\n'.join(f'- {_reference(works()[key])}' for key in keys)


def cohort_columns() -> str:
    """Columns of the cohort's tables of runs and of outliers."""
    parts = []
    for name, described in (('group_runs.tsv', RUNS), ('group_outliers.tsv', OUTLIERS)):
        rows = [(f'`{key}`', plain(about['Description'])) for key, about in described.items()]
        parts.append(f'### `{name}`\n\n{table(("column", "meaning"), rows)}')
    return '\n\n'.join(parts)


def cohort_benchmark() -> str:
    """What the benchmark of the cohort's page has saved."""
    path = Path(__file__).parent / 'data' / 'cohort_page.tsv'
    head, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
    return table(head, rows)


def fetch_command_line() -> str:
    """Every option of the command that fetches templates."""
    parser = argparse.ArgumentParser(prog='bidsqsm fetch-templates')
    fetch_templates.add_arguments(parser)
    return _options(parser)


def _options(parser: argparse.ArgumentParser) -> str:
    parts = []
    for group in parser._action_groups:  # noqa: SLF001 - argparse offers no public list
        actions = group._group_actions  # noqa: SLF001
        if actions:
            title = f'{group.title}'.capitalize()
            parts.append(f'### {title}\n\n' + '\n\n'.join(_option(a, parser) for a in actions))
    return '\n\n'.join(parts)


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """A definition list's entry."""
    value = _value(action)
    names = action.option_strings or [value]
    shown = ', '.join(f'`{name}`' for name in names)
    if action.option_strings and value:
        shown += f' `{value}`'
    text = (action.help or '') % {**vars(action), 'prog': parser.prog}
    return f'{shown}\n{indent(plain(text), ": ")}'


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ''
    if isinstance(action.metavar, tuple):
        return ' '.join(action.metavar)
    if action.choices is not None and action.metavar is None:
        return '{' + ','.join(map(str, action.choices)) + '}'
    shown = action.metavar or action.dest.upper()
    if isinstance(action.nargs, int):
        return ' '.join([shown] * action.nargs)
    return f'{shown} ...' if action.nargs == '+' else shown


def pictures() -> str:
    """Every panel of the report: its title and what to look for."""
    rows = [(f'**{plain(panel.title)}**', plain(panel.caption)) for panel in PANELS]
    return table(('picture', 'what it shows, and what to look for'), rows)


def benchmarks() -> str:
    """What every script of the benchmarks says of itself."""
    parts = []
    for path in sorted(_BENCHMARKS.glob('*.py')):
        said = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
        parts.append(f'### `{path.name}`\n\n{plain(said)}')
    return '\n\n'.join(parts)


def accuracy() -> str:
    """The scores that the benchmark of all methods has saved, a table for each voxel size."""
    parts = []
    for path in sorted((Path(__file__).parent / 'data').glob('accuracy_*.tsv'), reverse=True):
        head, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
        cells = [[*row[:2], *(f'{float(x):.3g}' if x else '' for x in row[2:])] for row in rows]
        size, _, kind = path.stem.partition('_')[2].partition('_')
        title = f'{size.removesuffix("mm")} mm' + (f', {kind}' if kind else '')
        parts.append(f'### {title}\n\n{table(head, cells)}')
    return '\n\n'.join(parts)


_ANATOMY = {
    'summary': 'Cohort',
    'heads': 'Every head of the cohort',
    'retest': 'Test-retest: SD of the mean over two tilts and four seeds of the noise, in ppb',
    'cost': 'Time and memory of a registration at 1 mm, on 2 threads',
}


def anatomy() -> str:
    """What the benchmark of atlas regions has saved: a table for each part and voxel size."""
    parts = []
    for name, title in _ANATOMY.items():
        for path in sorted((Path(__file__).parent / 'data').glob(f'anatomy_{name}_*.tsv')):
            head, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
            size = path.stem.rpartition('_')[2].removesuffix('mm')
            where = '' if name == 'cost' else f' ({size} mm)'
            parts.append(f'### {title}{where}\n\n{table(head, rows)}')
    return '\n\n'.join(parts)


def vials() -> str:
    """What the benchmark of vials has saved."""
    path = Path(__file__).parent / 'data' / 'vials.tsv'
    head, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
    return table([plain(cell) for cell in head], [[plain(cell) for cell in row] for row in rows])


def relaxometry() -> str:
    """What the benchmark of relaxometry has saved: bias and SD, methods side by side."""
    path = Path(__file__).parent / 'data' / 'relaxometry.tsv'
    rows = [*csv.DictReader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')]
    names = [*dict.fromkeys(row['method'] for row in rows)]
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        shown = f'{float(row["bias"]):+.2f} ± {float(row["sd"]):.2f}'
        lines.setdefault((row['snr'], row['r2star']), []).append(shown)
    head = ('S0 / noise', 'R2\\*', *(f'`{name}`' for name in names))
    return table(head, ([*key, *cells] for key, cells in lines.items()))


def decompose() -> str:
    """What the benchmark of DECOMPOSE has saved; errors and bias in ppb."""
    path = Path(__file__).parent / 'data' / 'decompose.tsv'
    head, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
    return table(head, rows)


def oxygenation() -> str:
    """What the benchmark of venous oxygenation has saved."""
    path = Path(__file__).parent / 'data' / 'oxygenation_1mm.tsv'
    _, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
    head = ('radius (mm)', 'angle to B0', 'true', 'core voxels', 'found', 'from all voxels')
    return table(head, rows)


def separation() -> str:
    """What the benchmark of separated sources has saved, a line for each method and its input."""
    path = Path(__file__).parent / 'data' / 'separation.tsv'
    head, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
    return table(head, ([row[0], f'`{row[1]}`', *row[2:]] for row in rows))


def metrics() -> str:
    """Every quality metric under its stage."""
    parts = []
    for stage, title in METRIC_STAGES.items():
        rows = [_metric(metric) for metric in METRICS.values() if metric.stage == stage]
        parts += [f'### {title}', table(('key', 'unit', 'range', 'better', 'what it is'), rows)]
    return '\n\n'.join(parts)


def _metric(metric: Metric) -> tuple[str, str, str, str, str]:
    key = f'`{metric.name}' + ('_echo<n>`' if metric.per_echo else '`')
    high = '' if math.isinf(metric.high) else f' to {metric.high:g}'
    low = f'{metric.low:g}'.replace('-', '\N{MINUS SIGN}')
    about = f'**{plain(metric.title)}.** {plain(metric.about)}'
    if math.isfinite(metric.alarm):
        side = 'below' if metric.better == 'higher' else 'above'
        about += f' A warning {side} {metric.alarm:g}.'
    wanted = metric.better or 'like other runs'
    return key, metric.unit, f'{low}{high}' if high else f'from {low}', wanted, about


def quality() -> str:
    """What the benchmark of faults has saved: what a fault is meant to move stands out."""
    path = Path(__file__).parent / 'data' / 'quality.tsv'
    head, *rows = csv.reader(path.read_text(encoding='utf-8').splitlines(), delimiter='\t')
    shown = dict(zip(head, rows.pop(), strict=True))
    lines = []
    for key, mean, sd, *cells in rows:
        marked = [
            _moved(key, cell, shown[name]) for name, cell in zip(head[3:], cells, strict=True)
        ]
        lines.append([f'`{key}`', f'{mean} ± {sd}' if mean else '', *marked])
    return table(('metric', 'good heads', *head[3:]), lines)


def _moved(key: str, cell: str, shown: str) -> str:
    if not cell:
        return ''
    text = f'{float(cell):+.0f}'.replace('-', '\N{MINUS SIGN}')
    return f'**{text}**' if key in shown.split() else text


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = [*head]
    return '\n'.join(_lines([head, ['---'] * len(head), *rows]))


def _lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    for row in rows:
        yield '| ' + ' | '.join(re.sub(r'(?<!\\)\|', r'\\|', cell) for cell in row) + ' |'


def plain(text: str) -> str:
    """Text whose characters mean nothing to Markdown; code and formulas in backticks stay."""
    parts = re.split(r'((?:\{math\})?``?[^`]+``?)', text)
    return ''.join(part if '`' in part else _SPECIAL.sub(r'\\\1', part) for part in parts)


#: What pages may ask for by its name.
GENERATORS: Mapping[str, Callable[[], str]] = {
    'defaults': defaults,
    'methods': methods,
    'steps': steps,
    'architecture': architecture,
    'groups': groups,
    'outputs': outputs,
    'anatomy-outputs': anatomy_outputs,
    'command-line': command_line,
    'demo-command-line': demo_command_line,
    'model-errors': model_errors,
    'roi-command-line': roi_command_line,
    'phantom-command-line': phantom_command_line,
    'roi-columns': roi_columns,
    'roi-ranges': roi_ranges,
    'roi-sources': roi_sources,
    'cohort-columns': cohort_columns,
    'cohort-benchmark': cohort_benchmark,
    'fetch-command-line': fetch_command_line,
    'pictures': pictures,
    'benchmarks': benchmarks,
    'accuracy': accuracy,
    'anatomy': anatomy,
    'vials': vials,
    'relaxometry': relaxometry,
    'decompose': decompose,
    'oxygenation': oxygenation,
    'separation': separation,
    'metrics': metrics,
    'quality': quality,
}
