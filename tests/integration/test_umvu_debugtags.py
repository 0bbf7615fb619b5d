# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug tags: vudebug(1), and umvu -d and -D."""

import os
import platform
import pty
import re
import subprocess

import pytest

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

PYTHON = '/usr/bin/python3'
LINE = re.compile(r'(\d+):(\d+) ([A-Z_]+) (\w+\.c):(\d+) (.*)')


@pytest.fixture
def inside(lab, ours):
    """A function that runs a shell's script in a view (Result), with `vudebug` in its PATH, and a log apart."""
    def run(script, *options, log='log', **how):
        path = f'{os.path.dirname(ours.program("vudebug"))}:/usr/bin:/bin'
        return lab.run(['env', f'PATH={path}', ours.program('umvu'), '-N', '-o', lab.path(log), *options, 'sh',
                        '-c', script], cwd=lab.dir, timeout=30, **how)
    return run


def lines(lab, log='log'):
    """The log as (thread, supervisor, tag, file, message)."""
    with open(lab.path(log), encoding='utf-8') as stream:
        found = [(line, LINE.fullmatch(line.rstrip('\n'))) for line in stream]
    assert not [line for line, match in found if not match]
    return [(int(match[1]), int(match[2]), match[3], match[4], match[6]) for _, match in found]


def test_outside(lab, ours):
    """It says that there is no view."""
    done = lab.run([ours.program('vudebug')])
    assert (done.status, done.out) == (2, '')
    assert done.err == 'vudebug: It works only inside a vuos virtual namespace\n'
    assert lab.run([ours.program('vudebug'), '--help']).status == 0
    assert 'vudebug' in lab.run([ours.program('vudebug'), '--version']).out


def test_global(inside):
    """Added, taken away, listed; without tags, all with a name."""
    done = inside('''vudebug; vudebug +vN5; vudebug; vudebug -v '?v5' '?N'; vudebug '?' | head -5; vudebug - -5
vudebug; vudebug +Z; vudebug '?' | grep -c . ; vudebug '?' | grep Z; vudebug +; vudebug''')
    assert (done.status, done.err) == (0, '')
    assert done.out.splitlines() == [
        ' ()', 'Nv5 ()', 'v -     VNODE', '5 +     ', 'N +     VUNET', 'B -     VUBINFMT', 'D -     VUDEV',
        'F -     VUFUSE', 'M -     VUMISC', 'N +     VUNET', ' ()', '18', 'Z +     ', 'BDFMNUVZacdfmnpstv ()']


def test_local(inside, lab):
    """For a program, its threads and what it starts and executes, and nobody else."""
    done = inside('''vudebug +t -- sh -c "vudebug; vudebug '?t'; exec /usr/bin/python3 -c '
import os, threading
thread = threading.Thread(target=lambda: os.spawnl(os.P_WAIT, \\"/bin/true\\", \\"true\\"))
thread.start()
thread.join()
'"
vudebug; true & wait''')
    assert (done.status, done.err) == (0, '')
    assert done.out == ' (t)\nt - (+) THREADS\n ()\n'
    said = lines(lab)
    assert {tag for _, _, tag, _, _ in said} == {'THREADS'} and len({row[1] for row in said}) == 1
    text = '\n'.join(row[4] for row in said)
    assert re.search(r'clone3?: has begun \d+', text) and re.search(r'exec: \S+ instead of ', text)
    ended = [row[0] for row in said if 'exit_group: with 0' in row[4]]
    assert len(ended) == len(set(ended)) == 4    # two of vudebug, /bin/true, and python


def test_calls(inside, lab):
    """Each call is told when it begins and when it ends, and what is decided."""
    done = inside(f"vudebug +scd -- cat /proc/self/exe > copy\n"
                  f"vudebug +d -- {PYTHON} -c 'import os; os.dup(1025)' 2> error")
    assert done.out == ''
    said = lines(lab)
    text = [row[4] for row in said]
    begin = next(i for i, line in enumerate(text)
                 if line.startswith('IN  >>>>>> openat(AT_FDCWD, "/proc/self/exe"'))
    assert text[begin + 1] == 'openat: by path'
    assert re.fullmatch(r'OUT <<<<<< openat ...\) = \d+', text[begin + 2])
    assert 'read: made as it is' in text
    assert any('names a descriptor of ours' in line for line in text)


def test_path_and_view(inside, lab):
    """The other tags of the core: from the start, for all."""
    done = inside('cat /proc/self/exe > copy; vudebug +Q; vudebug "?Q"', '-d', 'pa', '--debugtags', 'm')
    assert done.out == 'Q +     \n'
    said = lines(lab)
    assert [row[4] for row in said if row[2] == 'PATH' and 'program\'s file: /' in row[4]]
    assert [row[4] for row in said if row[2] == 'ACTION'] == ["add tags 'Q': done"]


def test_seen_by_others(lab, inside):
    """A process that looks already sees what another one changes, both ways."""
    done = inside('''vudebug +Z   # so the shell below looks
sh -c 'vudebug +t; true & wait; echo $!; vudebug -t; true & wait; echo $!' ''')
    seen, unseen = done.out.split()
    said = [row[4].rsplit()[-1] for row in lines(lab) if 'has begun' in row[4]]
    assert seen in said and unseen not in said


@pytest.mark.parametrize('arguments, error', [
    ('+!', '+!: there are no such tags, or no such colour'),
    ('s:q', 's:q: there are no such tags, or no such colour'),
    ("'?s' -- true", '?s: a question, and no change for a program'),
    ('s', 's: neither +, -, ? nor a colour'), ('-s:r', '-s:r: this is no change of tags'),
    ('+-s', '+-s: this is no change of tags'), ("'?!'", '?!: there are no such tags'),
    ('+s --', 'there is no program behind --'), ('-- ', 'there is no program behind --'),
    ('+' + 70 * 'a', 'this is no change of tags'), ('--nonsense', "nonsense"),
])
def test_wrong(inside, arguments, error):
    """Status 2, and the reason."""
    done = inside(f'vudebug {arguments}')
    assert done.status == 2 and error in done.err and done.out == ''


def test_wrong_changes_nothing(inside):
    """A tag with a colour that there is not stays as it was."""
    assert inside('vudebug +s:z 2>/dev/null; vudebug').out == ' ()\n'


def test_program_missing(inside):
    """As shells say it."""
    assert inside('vudebug +Q -- /nothing').status == 127
    assert inside('vudebug +Q -- /etc/passwd').status == 126


@pytest.mark.parametrize('options, error', [
    (('-d', '!'), "!: tags are A to Z, a to z, 0 to 9 and _"),
    (('-D', 's:q'), 's:q: not TAGS:COLOR with a colour of the letters'), (('-D', 'sr'), 'sr: not TAGS:COLOR'),
])
def test_wrong_options(inside, options, error):
    """The same for umvu."""
    done = inside('true', *options)
    assert done.status == 2 and error in done.err


def test_colors(lab, ours):
    """On a terminal lines have the colour of their tag; elsewhere there are no escapes."""
    command = [ours.program('umvu'), '-N', '-d', 't', '-D', 's:g t:r+', '/bin/true']
    master, slave = pty.openpty()
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        text = b''
        try:
            while chunk := os.read(master, 4096):
                text += chunk
        except OSError:
            pass    # the last one has closed it
        assert process.wait(10) == 0
    os.close(master)
    said = text.decode().splitlines()
    assert said and all(line.startswith('\x1b[31m\x1b[1m') and line.endswith('\x1b[0m') for line in said)
    done = lab.run(command)
    assert done.status == 0 and 'THREADS' in done.err and '\x1b' not in done.err
