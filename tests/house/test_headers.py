# SPDX-License-Identifier: GPL-2.0-or-later
"""Each header can be included alone, twice, and the installed ones from any dialect."""

import pytest

from conftest import BUILD, ROOT, program_or_skip, run, tracked

# A file without the pragma is a table that is included with macros defined.
HEADERS = [path for path in tracked('.h') if path.parts[0] not in ('bench', 'square')
           and (path.parts[0] == 'include' or '#pragma once' in (ROOT / path).read_text())]
PUBLIC = [path for path in HEADERS if path.parts[0] == 'include']
WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wstrict-prototypes', '-Wno-unused-function']


def compile_alone(compiler, language, name, flags):
    """Compiles a file that does nothing but include the header twice."""
    source = f'#include "{name}"\n' * 2 + 'extern int not_empty;\n'
    argv = [program_or_skip(compiler), '-x', language, '-fsyntax-only', '-I.', '-Iinclude',
            f'-I{BUILD}', *flags, '-']
    done = run(argv, input=source)
    assert done.returncode == 0, f'{" ".join(argv)}\n{done.stdout}'


@pytest.mark.parametrize('path', HEADERS, ids=str)
def test_alone(path):
    """Every header brings what it needs."""
    compile_alone('gcc', 'c', path, ['-std=gnu17', '-D_GNU_SOURCE', *WARNINGS])


@pytest.mark.parametrize('dialect', ['c99', 'gnu89', 'c11', 'gnu17'])
@pytest.mark.parametrize('path', PUBLIC, ids=str)
def test_public_in_c(path, dialect):
    """Installed headers, as a foreign program includes them: no _GNU_SOURCE, any dialect."""
    compile_alone('gcc', 'c', path.name, [f'-std={dialect}', *WARNINGS])


@pytest.mark.parametrize('dialect', ['c++98', 'c++17'])
@pytest.mark.parametrize('path', PUBLIC, ids=str)
def test_public_in_cxx(path, dialect):
    """Installed headers in C++ (VirtualBox and 86Box are)."""
    warnings = [flag for flag in WARNINGS if flag != '-Wstrict-prototypes']
    compile_alone('clang', 'c++', path.name, [f'-std={dialect}', *warnings])
