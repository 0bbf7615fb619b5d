# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs against their manual pages, and what their option rows print."""

import functools
import re

import pytest

from conftest import BUILD, ROOT, program_or_skip, run, tracked

PROGRAMS = sorted(path.name for path in (BUILD / 'bin').glob('*')) if BUILD.is_dir() else []
PAGES = [path for path in tracked('.scd') if str(path).startswith('docs/man/')]
OPTION_LINE = re.compile(r'^\*-')
every_program = pytest.mark.parametrize('program', PROGRAMS)


def page_of(program):
    """The program's page, section 1 or 8."""
    pages = [path for path in PAGES if re.fullmatch(re.escape(program) + r'\.[18]\.scd', path.name)]
    assert pages, f'docs/man/{program}.1.scd is missing'
    return pages[0]


def option_lines(page):
    """The lines that name options: `*-s*, *--sock* _DIR_`, escapes taken out."""
    text = (ROOT / page).read_text()
    return [line.replace('\\', '') for line in text.splitlines() if OPTION_LINE.match(line)]


@functools.lru_cache(maxsize=None)
def rows(program):
    """[(letter or '', long name or '', argument or '')] as --list-options prints them."""
    done = run([BUILD / 'bin' / program, '--list-options'])
    assert done.returncode == 0, done.stdout
    found = []
    for line in done.stdout.splitlines():
        letter, name, argument = line.split(' ', 2)
        found.append((letter[1:], name[2:], '' if argument == '-' else argument))
    return found


def test_there_are_programs():
    """The tests below would pass without any."""
    assert PROGRAMS, f'nothing in {BUILD}/bin: run `make build`, or set VS_BUILD'


@every_program
def test_help_and_version(program):
    """Work without privilege, arguments or terminal, and end."""
    done = run([BUILD / 'bin' / program, '--help'])
    assert f'Usage: {program}' in done.stdout
    assert 'Options:' in done.stdout
    assert done.returncode in (0, 1, 255), done      # the originals' statuses differ
    done = run([BUILD / 'bin' / program, '--version'])
    assert done.stdout.strip(), done
    assert done.returncode in (0, 1), done


@every_program
def test_wrong_option(program):
    """Says what was wrong, and does not succeed."""
    done = run([BUILD / 'bin' / program, '--no-such-option-at-all'])
    assert done.returncode != 0
    assert 'no-such-option-at-all' in done.stdout


@every_program
def test_help_lists_every_row(program):
    """--help and --list-options come from the same rows."""
    text = run([BUILD / 'bin' / program, '--help']).stdout
    for letter, name, _ in rows(program):
        assert not letter or re.search(rf'(^|\s)-{re.escape(letter)}\b', text, re.M), letter
        assert not name or f'--{name}' in text, name


@every_program
def test_page_names_every_option(program):
    """Each row has a line of its own in the page, with its argument."""
    lines = option_lines(page_of(program))
    for letter, name, argument in rows(program):
        wanted = [f'*-{letter}*'] if letter else []
        wanted += [f'*--{name}*'] if name else []
        # a placeholder may be several words: FILE|DIR, N[,M]
        wanted += re.findall(r'\w+', argument)
        assert any(all(part in line for part in wanted) for line in lines), (
            f'{page_of(program)}: no line with {" ".join(wanted)}')


@every_program
def test_page_names_only_options(program):
    """The first option of each such line is one that the program has."""
    known = {f'-{letter}' for letter, _, _ in rows(program) if letter}
    known |= {f'--{name}' for _, name, _ in rows(program) if name}
    for line in option_lines(page_of(program)):
        assert re.match(r'\*([^*]+)\*', line)[1] in known, line


@every_program
@pytest.mark.parametrize('shell', ['bash', 'zsh'])
def test_completion_parses(program, shell):
    """The completion scripts are scripts of those shells."""
    script = run([BUILD / 'bin' / program, f'--completion={shell}'])
    assert script.returncode == 0 and program in script.stdout
    done = run([program_or_skip(shell), '-n'], input=script.stdout)
    assert done.returncode == 0 and not done.stdout, done.stdout


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_page_compiles(page):
    """scdoc accepts it, it is named as its file, built by meson, and says what it is in one line."""
    text = (ROOT / page).read_text()
    done = run([program_or_skip('scdoc')], input=text)
    assert done.returncode == 0, done.stdout
    name, section = page.name.split('.')[:2]
    assert text.splitlines()[0].split('"')[0].strip() == f'{name}({section})'
    assert re.search(rf'^# NAME\n\n.*{re.escape(name)}.* - \S', text.replace('\\', ''), re.M)
    meson = (ROOT / 'docs/man/meson.build').read_text()
    assert f"'{name}.{section}'" in meson, 'not in docs/man/meson.build'
