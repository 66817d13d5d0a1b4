"""Settings come from the file and the command line, and can be read again from their copy."""

from __future__ import annotations

import multiprocessing as mp
import pickle
import tomllib
from pathlib import Path

import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.config import Config, default_work_dir, settled_methods
from bidsqsm.derivatives.product_groups import GROUPS

ARGS = ['in', 'out', 'participant']


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text):
    Path('settings.toml').write_text(text)
    return ['--config-file', 'settings.toml']


def test_every_step_has_its_default_method():
    every = {name: step.default for name, step in STEPS.items() if not step.several}
    for typed, idle in (([], ('background', 'dipole')), (['--background', 'lbv'], ('onestep',))):
        config = parse_arguments([*ARGS, *typed, '--products', *GROUPS])
        assert {k: c.method.name for k, c in config.methods.items()} == {
            name: default for name, default in every.items() if name not in idle
        }


@pytest.mark.parametrize(
    'option', [['--background', 'lbv'], ['--rounds', '2'], ['--orientations', 'ses']]
)
def test_what_needs_a_local_field_has_separate_steps(option):
    methods = parse_arguments([*ARGS, *option]).methods
    assert {'background', 'dipole'} <= set(methods)
    assert 'onestep' not in methods


def test_the_file_is_taken_and_the_command_line_wins():
    given = write('dipole = "tkd:threshold=0.1"\nnprocs = 3\nmem = "2G"\nphase_sign = "-1"\n')
    config = parse_arguments([*ARGS, *given, '--nprocs', '5'])
    assert config.nprocs == 5
    assert config.mem == 2
    assert config.phase_sign == '-1'
    assert config.methods['dipole'].settings()['threshold'] == 0.1


def test_lists_flags_and_tables_are_read_from_the_file(tmp_path):
    (tmp_path / 'masks').mkdir()
    given = write(
        'participant-label = ["sub-01", "02"]\nskip-bids-validation = true\nverbose = 2\n'
        '[derivatives]\nmasks = "masks"\n'
    )
    config = parse_arguments([*ARGS, *given])
    assert config.participant_label == ('01', '02')
    assert config.skip_bids_validation
    assert config.verbose == 2
    assert config.derivatives == {'masks': tmp_path / 'masks'}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('dipol = "tkd"', "unknown setting 'dipol'; did you mean dipole?"),
        ('dipole = "tdk"', 'did you mean tkd?'),
        ('dipole = "tkd:threshold=9"', 'expected a value between'),
        ('nprocs = "many"', 'expected a whole number'),
        ('skip-bids-validation = "yes"', 'expected bool'),
        ('phase-sign = "2"', 'invalid choice'),
        ('force = ["everything"]', 'invalid choice'),
        ('mem = ', 'Invalid value'),
    ],
)
def test_a_mistake_in_the_file_is_explained(text, message, capsys):
    given = write(text)
    with pytest.raises(SystemExit) as stop:
        parse_arguments([*ARGS, *given])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_the_copy_of_the_settings_gives_the_same_settings(tmp_path):
    (tmp_path / 'other').mkdir()
    config = parse_arguments(
        [
            *ARGS,
            '--dipole',
            'tkd:rescale=no',
            '--mem',
            '1.5G',
            '-vv',
            '--force',
            'filtered-phase',
            '--session-label',
            'ses-a',
            'b',
            '-d',
            'x=other',
            '-w',
            'else',
        ]
    )
    again = parse_arguments([*ARGS, *write(config.to_toml())])
    assert again.summary() == config.summary()
    for name in ('mem', 'verbose', 'session_label', 'derivatives', 'work_dir', 'force'):
        assert getattr(again, name) == getattr(config, name)


def test_the_copy_names_every_parameter_so_that_new_defaults_do_not_change_it():
    config = parse_arguments([*ARGS, '--products', *GROUPS])
    table = tomllib.loads(config.to_toml())
    for name, choice in settled_methods().items():
        for parameter in choice.method.parameters:
            assert f'{parameter}=' in table[STEPS[name].option]


def test_one_step_takes_the_place_of_two(tmp_path):
    config = parse_arguments([*ARGS, '--onestep', 'sstv:weight=0.001'])
    assert {'background', 'dipole'} & {*config.methods, *config.summary()['methods']} == set()
    assert config.summary()['methods']['onestep']['weight'] == 0.001
    again = parse_arguments([*ARGS, *write(config.to_toml())])
    assert again.summary() == config.summary()


@pytest.mark.parametrize(
    ('text', 'typed'),
    [
        ('', ['--onestep', 'sstv', '--dipole', 'tv']),
        ('onestep = "sstv"\nbackground = "pdf"', []),
        ('onestep = "sstv"', ['--onestep', 'sstv', '--background', 'pdf']),
    ],
)
def test_one_step_and_what_it_replaces_are_refused_in_a_sentence(text, typed, capsys):
    with pytest.raises(SystemExit) as stop:
        parse_arguments([*ARGS, *write(text), *typed])
    assert stop.value.code == 2
    assert '--onestep takes the place of --' in capsys.readouterr().err


def test_rounds_of_steps_that_are_not_used_are_refused(capsys):
    with pytest.raises(SystemExit):
        parse_arguments([*ARGS, '--onestep', 'sstv', '--rounds', '3'])
    assert '--rounds repeats --background and --dipole' in capsys.readouterr().err
    assert 'rounds' not in parse_arguments([*ARGS, '--onestep', 'sstv']).summary()


@pytest.mark.parametrize('other', [['--rounds', '2'], ['--orientations', 'ses']])
def test_two_passes_are_refused_where_they_have_no_place(other, capsys):
    with pytest.raises(SystemExit):
        parse_arguments([*ARGS, '--two-pass', *other])
    assert f'--two-pass does not go together with {other[0]}' in capsys.readouterr().err
    config = parse_arguments([*ARGS, '--two-pass'])
    assert config.two_pass
    assert config.summary()['two_pass'] is True
    assert 'two-pass = true' in config.to_toml()
    assert 'two_pass' not in parse_arguments(ARGS).summary()


def test_the_command_line_wins_over_the_file_where_only_one_of_two_can_be_used():
    whole = write(parse_arguments(ARGS).to_toml())
    assert 'dipole' not in parse_arguments([*ARGS, *whole, '--onestep', 'sstv']).methods
    one = write('onestep = "sstv"\n')
    assert 'onestep' not in parse_arguments([*ARGS, *one, '--dipole', 'tkd']).methods


def test_a_mask_file_takes_the_place_of_a_method():
    config = parse_arguments([*ARGS, '--mask', '/masks/{subject}_mask.nii.gz'])
    assert config.mask_pattern == '/masks/{subject}_mask.nii.gz'
    assert config.summary()['methods']['mask']['name'] == 'given'
    assert parse_arguments([*ARGS, *write(config.to_toml())]).mask_pattern == config.mask_pattern


def test_the_work_folder_lies_beside_the_output_and_never_in_the_dataset(tmp_path):
    bids = tmp_path / 'bids'
    assert default_work_dir(bids, tmp_path / 'a' / 'out') == tmp_path / 'a' / 'work'
    assert default_work_dir(bids, bids / 'derivatives' / 'bidsqsm') == tmp_path / 'work'


def test_settings_travel_to_another_process():
    config = parse_arguments([*ARGS, '--dipole', 'tkd:rescale=no'])
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301
    with mp.get_context('forkserver').Pool(1) as pool:
        assert pool.map(Config.to_toml, [config]) == [config.to_toml()]
