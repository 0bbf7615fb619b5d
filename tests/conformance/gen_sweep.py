#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gen_sweep.py calls.json OUTPUT: the rows of sweep.c, one for each system call that may be made with anything.

A row has the call's class, name and number, and a letter for each argument: P memory, S a path, F a descriptor,
D one of a directory, N a number.
"""
import json
import sys

# What may not be made with anything: it ends the process, signals others, leaves something behind, waits for
# the machine's disks, or is the sweep's own clock.
NEVER = set('''
exit exit_group fork vfork clone clone3 execve execveat rt_sigreturn restart_syscall pause
kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal
shmget semget msgget sync syncfs reboot vhangup alarm setitimer seccomp ptrace
sched_yield uretprobe uprobe arch_prctl rseq set_robust_list setrlimit prlimit64
'''.split())
LETTERS = {'fd': 'F', 'dirfd': 'D', 'path': 'S'}


def letter(argument):
    if argument['type'] in LETTERS:
        return LETTERS[argument['type']]
    return 'P' if 'memory' in argument else 'N'


def main():
    with open(sys.argv[1], encoding='utf-8') as stream:
        calls = json.load(stream)
    with open(sys.argv[2], 'w', encoding='utf-8') as stream:
        for call in calls:
            if call['name'] in NEVER or not call['arguments']:
                continue
            if call['level'].startswith(('refused', 'absent')):
                continue
            letters = ''.join(letter(argument) for argument in call['arguments'])
            stream.write(f'{{ "{call["class"]}", "{call["name"]}", {call["number"]}, "{letters}" }},\n')


main()
