# SPDX-License-Identifier: GPL-2.0-or-later
"""umvu: programs that take away what exec needs (the root, /proc, descriptors, limits), and go on."""

import os
import pathlib
import platform
import resource
import shutil
import stat
import subprocess

import pytest

from vslib.sides import BUILD, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

WAYS = ('dispatch', 'filter')
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')


@pytest.fixture(name='same')
def same_(lab, ours):
    """A function that runs a command bare and with both traps: the output has to be the same."""
    def run(command, **how):
        bare = lab.run(command, timeout=30, **how)
        for way in WAYS:
            done = lab.run([ours.program('umvu'), f'--trap={way}', *command], timeout=30, **how)
            assert (done.status, done.out, done.err) == (bare.status, bare.out, bare.err)
        return bare
    return run


def make_root(lab):
    """A directory with busybox and nothing more."""
    root = pathlib.Path(lab.path('root'))
    (root / 'bin').mkdir(parents=True)
    shutil.copy(tool('busybox'), root / 'bin/busybox')
    for name in ('sh', 'echo', 'ls', 'cat', 'chroot'):
        (root / 'bin' / name).symlink_to('busybox')
    (root / 'bin/script').write_text('#!/bin/sh\nexec /bin/echo "$0" "$@"\n')
    (root / 'bin/script').chmod(0o755)
    return root


@needs_root
def test_chroot(lab, same):
    """In another root, without /proc, programs and scripts are executed as before."""
    root = make_root(lab)
    done = same(['chroot', str(root), '/bin/sh', '-c',
                 '/bin/echo one; /bin/script two; /bin/chroot /bin /busybox echo three; '
                 '(/bin/ls / | /bin/cat)'])
    assert done.out == 'one\n/bin/script two\nthree\nbin\n' and done.status == 0


def can(lab, *command):
    """Whether the machine allows that at all."""
    return lab.run(command).status == 0


def test_namespaces(lab, same):
    """With namespaces of its own a program goes on to execute others, also where all is mounted over."""
    command = ['unshare', '-rmn']
    if not can(lab, *command, 'true'):
        pytest.skip('user namespaces are not allowed here')
    done = same([*command, '/bin/sh', '-c', 'id -u; mount -t tmpfs none /proc && ls /proc; /bin/echo on'])
    assert done.out.split() == ['0', 'on']


@pytest.mark.parametrize('name', ['all', 'noproc', 'proc', 'cleared'])
def test_bubblewrap(lab, same, name):
    """bwrap makes a root of its own, closes what it has inherited, and executes the program there."""
    wrap = [tool('bwrap'), '--unshare-all', '--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib',
            '--symlink', 'usr/lib64', '/lib64', '--symlink', 'usr/bin', '/bin']
    more = {'all': ['--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--die-with-parent',
                    '--new-session'],
            'noproc': [], 'proc': ['--proc', '/proc'], 'cleared': ['--clearenv', '--setenv', 'A', 'b']}[name]
    if not can(lab, *wrap, '--proc', '/proc', '/bin/true'):
        pytest.skip('bubblewrap cannot run here')
    script = 'env true && echo $A; ls / | sort | tail -2; sh -c "exec /bin/echo two"; ls /proc/self/fd 2>&1'
    done = same([*wrap, *more, '/bin/sh', '-c', script])
    assert done.status in (0, 2) and 'two' in done.out


LANDLOCK = '''
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
CREATE, ADD, RESTRICT = 444, 445, 446
if libc.syscall(CREATE, None, 0, 1) < 1:
    print("not here")
    sys.exit()
handled = int(sys.argv[1])
ruleset = libc.syscall(CREATE, ctypes.byref(ctypes.c_uint64(handled)), 8, 0)
for path in ("/usr", "/lib", "/lib64", "/bin", "/etc"):
    fd = os.open(path, os.O_PATH)
    rule = struct.pack("=Qi", handled & 0xd, fd)
    assert libc.syscall(ADD, ruleset, 1, rule, 0) == 0 or not os.path.isdir(path)
libc.prctl(38, 1, 0, 0, 0)
assert libc.syscall(RESTRICT, ruleset, 0) == 0
os.execv("/bin/sh", ["sh", "-c", "/bin/echo one; /bin/echo two; cat /proc/version 2>&1; ./other"])
'''


@pytest.mark.parametrize('handled', [1, 4, 5, 13])
def test_landlock(same, lab, handled):
    """A program that allows itself some files only executes those, and no others."""
    shutil.copy('/bin/true', lab.path('other'))
    done = same(['/usr/bin/python3', '-c', LANDLOCK, str(handled)], cwd=lab.dir)
    assert 'two' in done.out or 'not here' in done.out


@pytest.mark.parametrize('way', WAYS)
def test_resident_as_program(lab, ours, way):
    """What is umvu's own cannot be a program inside, and says so."""
    resident = pathlib.Path(ours.program('umvu')).resolve().parents[1] / 'libexec/virtualsquare/umvu-resident'
    assert resident.exists()
    done = lab.run([ours.program('umvu'), f'--trap={way}', '/bin/bash', '-c', f'{resident}; echo $?'])
    assert done.out == '126\n' and 'umvu: ' in done.err and str(resident) in done.err


CLOSERS = {
    'loop': 'import os\nfor fd in range(3, 2000):\n try: os.close(fd)\n except OSError: pass\n',
    'closerange': 'import os\nos.closerange(3, 1 << 30)\n',
    'listing': 'import os\nfor fd in os.listdir("/proc/self/fd"):\n'
               ' if int(fd) > 2:\n  try: os.close(int(fd))\n  except OSError: pass\n',
    'marked': 'import fcntl\nfor fd in range(3, 2000):\n'
              ' try: fcntl.fcntl(fd, fcntl.F_SETFD, 1)\n except OSError: pass\n',
    'subprocess': 'import subprocess\nsubprocess.run(["/bin/echo", "first"], close_fds=True)\n',
}


@pytest.mark.parametrize('name', CLOSERS)
def test_closefrom(same, name):
    """Whoever closes all descriptors that there may be can execute programs all the same."""
    script = CLOSERS[name] + 'import os\nos.execv("/bin/sh", ["sh", "-c", "/bin/echo fine; /bin/true"])\n'
    assert same(['/usr/bin/python3', '-c', script]).out.endswith('fine\n')


def test_descriptors_listed(same):
    """A listing of descriptors is as it is outside, whoever's it is."""
    same(['/bin/sh', '-c', 'ls /proc/self/fd /proc/thread-self/fdinfo | wc -l'])
    same(['/usr/bin/python3', '-c', 'import os; print(sorted(os.listdir("/proc/self/fd"), key=int))'])


@pytest.mark.parametrize('limit', [20, 64, 256, 1024])
def test_small_limits(lab, ours, limit):
    """With a low hard limit too programs are executed, and see the limit that was set."""
    script = f'ulimit -n {limit}; exec "$@"'
    inner = 'ulimit -n; ulimit -Hn; /bin/sh -c "ulimit -n; /bin/true && exec /bin/echo fine"'
    for way in WAYS:
        command = [ours.program('umvu'), f'--trap={way}', '/bin/sh', '-c', inner]
        done = lab.run(['/bin/sh', '-c', script, 'sh', *command])
        assert done.out == f'{limit}\n' * 3 + 'fine\n', done


def test_limit_of_its_own(same):
    """A program that changes its limit of descriptors sees what it has set, and so do its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 300 or hard > 300
    same(['/bin/sh', '-c', 'ulimit -n; ulimit -Sn 300; ulimit -n; /bin/sh -c "ulimit -n"; '
          'ulimit -Sn $(ulimit -Hn); ulimit -n; ulimit -n 10; /bin/sh -c "ulimit -n; ulimit -Hn"'])


def test_inherited_at_the_place(lab, ours):
    """Where a descriptor of the caller's has our numbers, it stays the program's."""
    with open(lab.path('file'), 'w', encoding='ascii') as file:
        file.write('kept\n')
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1100:
        pytest.skip('the limit of descriptors is too low')
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    fd = os.open(lab.path('file'), os.O_RDONLY)
    try:
        os.dup2(fd, 1024)
        done = subprocess.run([ours.program('umvu'), '/bin/sh', '-c', 'exec /bin/cat /proc/self/fd/1024'],
                              pass_fds=[1024], capture_output=True, text=True, timeout=30, check=False)
        assert stat.S_ISREG(os.fstat(1024).st_mode)
    finally:
        os.close(1024)
        os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert done.stdout == 'kept\n', done


# --- names ------------------------------------------------------------------------------------------

BY_DESCRIPTOR = '''
import os, shutil, sys
shutil.copy(sys.argv[1], "copy")
os.chmod("copy", 0o755)
fd = os.open("copy", os.O_RDONLY)
if sys.argv[2] == "deleted":
    os.unlink("copy")
if sys.argv[2] == "memory":
    fd = os.memfd_create("of memory")
    os.write(fd, open("copy", "rb").read())
    fd = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
if sys.argv[2] == "path":
    fd = os.open("copy", os.O_PATH)
os.dup2(fd, 50, inheritable=True)
os.close(fd)
os.execve(50, ["name"] + sys.argv[3:], os.environ)
'''


@pytest.mark.parametrize('how', ['file', 'deleted', 'memory', 'path'])
def test_names_by_descriptor(lab, same, how):
    """A program that is executed by a descriptor has the names that the kernel gives it."""
    script = 'read name </proc/$$/comm; echo $name $0; readlink /proc/self/exe'
    command = ['/usr/bin/python3', '-c', BY_DESCRIPTOR]
    assert same([*command, shutil.which('cat'), how, '/proc/self/comm'], cwd=lab.dir).out
    assert same([*command, shutil.which('readlink'), how, '/proc/self/exe'], cwd=lab.dir).out
    assert same([*command, shutil.which('dash'), how, '-c', script], cwd=lab.dir).status == 0


@pytest.mark.parametrize('how', ['file', 'deleted', 'memory'])
def test_again(lab, same, how):
    """A program executes itself once more, though its file may be gone."""
    script = 'exec /proc/self/exe -c "read name </proc/self/comm; echo \\$name; readlink /proc/self/fd/50"'
    command = ['/usr/bin/python3', '-c', BY_DESCRIPTOR]
    same([*command, shutil.which('dash'), how, '-c', script], cwd=lab.dir)
    script = 'sha256sum </proc/self/exe; stat -L -c %s /proc/self/exe </dev/null'
    assert len(same([*command, shutil.which('dash'), how, '-c', script], cwd=lab.dir).out) > 64


def test_file_that_goes(lab, same):
    """/proc/PID/exe is the file that runs, when it has another name, none, or another file has its name."""
    script = """
cp "$(command -v dash)" one
cat >script <<'END'
look() { readlink /proc/self/exe | sed "s:.*/::"; readlink /proc/$$/exe | sed "s:.*/::"; cksum </proc/$$/exe; }
look; mv one two; look; echo other >one; look; rm two; look
/proc/$$/exe -c 'echo again; readlink /proc/$$/exe | sed "s:.*/::"'
END
./one script
rm -f one two"""
    done = same(['/bin/sh', '-c', script], cwd=lab.dir)
    assert 'two (deleted)' in done.out and 'again' in done.out


def test_name_in_auxiliary_vector(same, lab):
    """The dynamic loader tells the name that was given, of a program and of a script."""
    lab.write('script', '#!/bin/true\n', 0o755)
    command = f'cd {lab.dir}; (LD_SHOW_AUXV=1 ./script; LD_SHOW_AUXV=1 /bin/../bin/true) | grep EXECFN'
    assert './script' in same(['/bin/sh', '-c', command]).out


# --- messages ---------------------------------------------------------------------------------------


def write_32_bits(path):
    """The begin of a program of 32 bits."""
    path.write_bytes(b'\x7fELF\x01\x01\x01' + bytes(9) + b'\x02\x00\x03\x00' + bytes(100))
    path.chmod(0o755)


def test_messages(lab, ours):
    """What cannot run is named, with the way out, on umvu's stderr, and only there."""
    program = pathlib.Path(lab.path('old'))
    write_32_bits(program)
    run = [ours.program('umvu'), '/bin/bash', '-c']
    done = lab.run([*run, f'{program}; exit 0'])
    assert f'umvu: {program}: a program of 32 bits' in done.err and 'outside of umvu' in done.err
    done = lab.run([*run, f'exec 2>{lab.path("other")}; {program}; exit 0'])
    assert done.err == '' and 'umvu' not in pathlib.Path(lab.path('other')).read_text(encoding='utf-8')
    log = lab.path('log')
    done = lab.run(['/bin/sh', '-c', f'exec "$@" 2>{log}', 'sh', *run, f'exec 2>&1; {program}; exit 0'])
    assert 'umvu: ' not in done.out and '32 bits' in pathlib.Path(log).read_text(encoding='utf-8')
    done = lab.run(['/bin/sh', '-c', 'exec "$@" 2>&-', 'sh', *run, f'exec 2>&1; {program}; exit 0'])
    assert 'umvu: ' not in done.out + done.err


@needs_root
@pytest.mark.parametrize('mode', [0o4755, 0o2755, 0o755])
def test_set_user_id(lab, ours, mode):
    """Who would get a privilege runs without it, and that is said."""
    program = lab.path('privileged')
    shutil.copy('/usr/bin/id', program)
    os.chmod(program, mode)
    os.chmod(lab.dir, 0o755)
    user = [tool('setpriv'), '--reuid=65534', '--regid=65534', '--clear-groups']
    done = lab.run([*user, ours.program('umvu'), '/bin/sh', '-c', f'{program} -u; {program} -g'])
    assert done.out == '65534\n65534\n'
    gives = mode != 0o755 and not os.statvfs(lab.dir).f_flag & os.ST_NOSUID
    assert ('umvu: ' in done.err) == gives, done.err
    done = lab.run([ours.program('umvu'), '/bin/sh', '-c', f'{program} -u'])
    assert (done.out, done.err) == ('0\n', '')
    if mode != 0o755:       # who cannot get it outside is not told
        done = lab.run([*user, '--no-new-privs', ours.program('umvu'), '--trap=dispatch', '/bin/sh', '-c',
                        f'{program} -u'])
        assert (done.out, done.err) == ('65534\n', '')


@needs_root
def test_unreadable(lab, ours):
    """A program that may only be executed: EACCES, and a message with the reason."""
    program = lab.path('secret')
    shutil.copy('/usr/bin/id', program)
    os.chmod(program, 0o711)
    os.chmod(lab.dir, 0o755)
    user = [tool('setpriv'), '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all']
    done = lab.run([*user, ours.program('umvu'), '/bin/sh', '-c', f'{program} -u; echo $?'])
    assert done.out == '126\n' and 'readable' in done.err and program in done.err


def test_descriptors_of_exec(lab, ours):
    """What passes at exec is open in no program, though other threads do the same meanwhile."""
    script = '''
import os, threading
def run():
    for _ in range(25):
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(into, 1)
            os.execv("/bin/ls", ["ls", "-l", "/proc/self/fd"])
        os.close(into)
        text = os.fdopen(out).read()
        if "umvu" in text or "/ls" in text or "ld-linux" in text:
            print(text)
        os.waitpid(child, 0)
threads = [threading.Thread(target=run) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("fine")
'''
    done = lab.run([ours.program('umvu'), '/usr/bin/python3', '-c', script], timeout=30)
    assert (done.out, done.err) == ('fine\n', '')


OLDER = '''
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
def step(code, jt, jf, k):
    return struct.pack("=HBBI", code, jt, jf, k)
EINVAL, ENOSYS = 0x50016, 0x50026
program = b"".join([
    step(0x20, 0, 0, 0),            # the number
    step(0x15, 4, 0, 439),          # faccessat2
    step(0x15, 0, 4, 322),          # execveat
    step(0x20, 0, 0, 16 + 4 * 8),   # its flags
    step(0x45, 0, 2, 0x10000),      # AT_EXECVE_CHECK
    step(6, 0, 0, EINVAL),
    step(6, 0, 0, ENOSYS),
    step(6, 0, 0, 0x7fff0000)])
buffer = ctypes.create_string_buffer(program)
filter = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter) == 0
os.execv(sys.argv[1], sys.argv[1:])
'''


@pytest.mark.parametrize('case', ['exec_busy', 'exec_errors', 'exec_elf_errors', 'exec_by_descriptor',
                                  'exec_without_permission'])
def test_older_kernel(lab, ours, case):
    """What a kernel before 6.14, or before 5.8, cannot tell is found out otherwise."""
    program = BUILD / 'tests/conformance/conformance'
    results = []
    for name, inside in (('bare', []), ('inside', [ours.program('umvu')])):
        os.mkdir(lab.path(name))
        done = lab.run(['/usr/bin/python3', '-c', OLDER, *inside, program, case], cwd=lab.path(name))
        results.append((done.status, done.out, done.err))
    assert results[0] == results[1] and results[0][0] in (0, 77)
