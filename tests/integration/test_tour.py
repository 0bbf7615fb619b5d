# SPDX-License-Identifier: GPL-2.0-or-later
"""The tour: ends by itself with status 0, shows what it promises, leaves nothing behind."""

import os
import platform
import re

import pytest

from vslib.sides import BUILD, REPO, tool

SHOWN = ('3 packets transmitted, 3 received', 'The sum is that of the original.', r'Mbits/sec',
         r'Port 0001 untagged_vlan=0000 ACTIVE', r'Addr: 02:00:0a:00:00:03', '"max_entries":',
         'ICMP echo reply', '100% packet loss', 'carol is kept out') + (
             ('hello from the build', r'\d calls in all\. [\s\S]*execve\(')
             if platform.machine() == 'x86_64' else ())


def show(lab, *prefix):
    """Runs the tour in the test's directory; returns its Result."""
    tmp = lab.path('tmp')
    os.mkdir(tmp)
    os.chmod(tmp, 0o1777)
    os.chmod(lab.dir, 0o755)
    env = lab.env(VS_BUILD=str(BUILD), TMPDIR=tmp)
    done = lab.run([*prefix, '/usr/bin/python3', REPO / 'square' / 'tour'], env=env, timeout=110)
    assert done.status == 0, done
    assert not done.err, done.err
    for text in SHOWN:
        assert re.search(text, done.out), (text, done.out)
    assert not os.listdir(tmp)
    return done


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_tour(lab, ours):
    """As whoever runs the tests."""
    ours.program('vde_switch')
    show(lab)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason='needs root to become somebody else')
def test_tour_as_an_ordinary_user(lab, ours):
    """No privilege is needed, but for the device that Debian gives to everybody."""
    ours.program('vde_switch')
    device = lab.path('tun')
    os.mknod(device, 0o20666, os.stat('/dev/net/tun').st_rdev)
    os.chmod(device, 0o666)
    show(lab, tool('unshare'), '-m', '--', '/bin/sh', '-c',
         f'mount --bind {device} /dev/net/tun && exec "$@"', 'sh',
         tool('setpriv'), '--reuid=nobody', '--regid=nogroup', '--clear-groups', '--inh-caps=-all')


def test_what_is_lacking_is_said(lab, ours):
    """Without the programs it uses the tour names the packages, and ends with status 1."""
    ours.program('vde_switch')
    env = lab.env(VS_BUILD=lab.path('nothing'))
    done = lab.run(['/usr/bin/python3', REPO / 'square' / 'tour'], env=env)
    assert done.status == 1 and "run 'make build'" in done.out
