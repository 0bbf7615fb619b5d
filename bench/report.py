# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians, the goals they are held against, and how both are told: a table and JSON."""

import collections
import json
import os
import platform
import statistics

from measures import BRIDGE, BURST_MEMORY, MEMCPY, METRICS, PORTS, SIZES, VETH, pair_name
from measures_vuos import (LIMITS, NATIVE, PROCESS_KIB, REQUESTS, START_MS, THREAD_KIB, TRACE_US,
                           UMVU)

# The median, least and greatest of the rounds' values.
Result = collections.namedtuple('Result', 'metric group contender median least greatest values')
Goal = collections.namedtuple('Goal', 'text met measured')

NOISE = 0.95            # a median this near to the other one is as good as it
TCP_FACTOR = 10
TCP_KERNEL = 0.5        # of veth and bridge
RESPONSE = 2            # times veth
BATCH_FACTOR = {64: 50, 1514: 12}
FRAME_FACTOR = 20       # 64 bytes, the calls for one frame
PTP_FACTOR = 50
BOUNCE_FACTOR = 5
SUPER_RATE, SUPER_PART = 40, 0.25       # Gbit/s, and of memcpy: the lower of both
FLATNESS = 1.2
PORT_MEMORY = 64        # KiB
TIMER_WAKEUPS = 2       # a second; the switch's own timers are once a second at most


class Names:
    """Of the sides, as they are in the results."""

    def __init__(self, name):
        self.name = name


OURS, DEBIAN = Names('our'), Names("Debian's")


def summarize(samples):
    """[Result] in the order in which they were measured first."""
    values = collections.defaultdict(list)
    for sample in samples:
        values[sample.metric, sample.group, sample.contender].append(sample.value)
    return [Result(*key, statistics.median(seen), min(seen), max(seen), seen)
            for key, seen in sorted(values.items(), key=lambda item: place(item[0], values))]


def place(key, values):
    """Where a result stands: by metric, then as measured."""
    metric, group, _contender = key
    groups = [other[1] for other in values if other[0] == metric]
    return list(METRICS).index(metric), groups.index(group)


def machine(rounds, quick, seconds):
    """What the numbers depend on."""
    model = 'unknown'
    with open('/proc/cpuinfo', encoding='utf-8') as lines:
        for line in lines:
            if line.startswith('model name'):
                model = line.partition(':')[2].strip()
                break
    return {'cpu': model, 'cpus': os.cpu_count(), 'kernel': platform.release(),
            'load': os.getloadavg()[0], 'rounds': rounds, 'quick': quick,
            'seconds': round(seconds, 1)}


class Lookup:
    """Results by what they are of."""

    def __init__(self, results):
        self.results = {(each.metric, each.group, each.contender): each for each in results}

    def pair(self, metric, group, one, other):
        """Two results, or None when one is missing."""
        found = (self.results.get((metric, group, one)), self.results.get((metric, group, other)))
        return found if all(found) else None


def speed_goals(lookup):
    """Never slower than Debian's switch with the same plugs."""
    cases = [('frames', f'{size} bytes') for size in SIZES]
    cases += [('roundtrip', '64 bytes'), ('tcp', 'two namespaces')]
    for metric, group in cases:
        for plug in (OURS, DEBIAN):
            found = lookup.pair(metric, group, pair_name(OURS, plug), pair_name(DEBIAN, plug))
            if found:
                ratio = found[0].median / (found[1].median or 1e-9)
                better = ratio if METRICS[metric][2] else 1 / (ratio or 1e-9)
                yield Goal(f"{METRICS[metric][0]}, {group}: our switch as good as Debian's, "
                           f'{plug.name} plugs', better >= NOISE, f'{better:.2f} times')


def loss_goals(lookup):
    """Nothing lost where Debian's switch loses."""
    for size in SIZES:
        for plug in (OURS, DEBIAN):
            found = lookup.pair('loss', f'{size} bytes', pair_name(OURS, plug),
                                pair_name(DEBIAN, plug))
            if found:
                yield Goal(f'frames lost, {size} bytes: none with our switch, {plug.name} plugs',
                           found[0].greatest == 0,
                           f"at most {found[0].greatest:.2f} % (Debian's {found[1].greatest:.2f})")


def times_goal(lookup, text, least, metric, group, *names):
    """At least so many times better than another; none when one of the two is missing."""
    found = lookup.pair(metric, group, *names)
    if not found:
        return
    ratio = found[0].median / (found[1].median or 1e-9)
    if not METRICS[metric][2]:
        ratio = 1 / (ratio or 1e-9)
    yield Goal(f'{text}: {least} times', ratio >= least, f'{ratio:.2f} times')


def ring_goals(lookup):
    """Rings, beside Debian's switch with Debian's plugs."""
    ours, debian = pair_name(OURS, OURS), pair_name(DEBIAN, DEBIAN)
    for size, least in BATCH_FACTOR.items():
        yield from times_goal(lookup, f"frames of {size} bytes in batches beside Debian's", least,
                              'frames', f'{size} bytes', f'{ours}, batches', debian)
    yield from times_goal(lookup, "frames of 64 bytes one by one beside Debian's", FRAME_FACTOR,
                          'frames', '64 bytes', ours, debian)
    yield from times_goal(lookup, "ptp in batches beside Debian's", PTP_FACTOR, 'ptp', '64 bytes',
                          'our plugs, batches', "Debian's plugs")
    yield from times_goal(lookup, "round trip in one thread beside Debian's in one thread",
                          BOUNCE_FACTOR, 'bounce', '64 bytes', ours, debian)
    one = lookup.results.get(('bounce', '64 bytes', ours))
    other = lookup.results.get(('roundtrip', '64 bytes', debian))
    if one and other:
        ratio = other.median / (one.median or 1e-9)
        yield Goal(f"round trip in one thread beside Debian's round trip on one CPU: "
                   f'{BOUNCE_FACTOR} times', ratio >= BOUNCE_FACTOR, f'{ratio:.2f} times')


def super_goals(lookup):
    """64 KiB frames."""
    found = lookup.pair('super', MEMCPY, f'{pair_name(OURS, OURS)}, batches', MEMCPY)
    if found:
        least = min(SUPER_RATE, SUPER_PART * found[1].median)
        yield Goal(f'64 KiB frames: {SUPER_RATE} Gbit/s or {SUPER_PART} of memcpy, here '
                   f'{least:.1f}', found[0].median >= least, f'{found[0].median:.1f} Gbit/s')


def response_goals(lookup):
    """Request and response."""
    found = lookup.pair('response', 'two namespaces', pair_name(OURS, OURS), VETH)
    if found:
        ratio = found[0].median / (found[1].median or 1e-9)
        yield Goal(f'request and response: at most {RESPONSE} times veth', ratio <= RESPONSE,
                   f'{ratio:.2f} times')


def ring_port_goals(lookup):
    """Ports with rings."""
    for group, most in (('1,000 idle ports', PORT_MEMORY), ('after a burst', BURST_MEMORY)):
        if result := lookup.results.get(('ring_memory', group, 'our switch')):
            yield Goal(f'memory of a port with rings, {group}: at most {most} KiB',
                       result.greatest <= most, f'{result.greatest:.1f} KiB')
    for metric in ('ring_cpu', 'ring_frames'):
        yield from flat_goal(lookup, metric)


def tcp_goals(lookup):
    """One stream between two vdens."""
    found = lookup.pair('tcp', 'two namespaces', pair_name(OURS, OURS), pair_name(DEBIAN, DEBIAN))
    if found:
        ratio = found[0].median / (found[1].median or 1e-9)
        yield Goal(f"TCP between two vdens: {TCP_FACTOR} times Debian's", ratio >= TCP_FACTOR,
                   f'{ratio:.2f} times')
    yield from times_goal(lookup, 'TCP between two vdens beside veth and bridge', TCP_KERNEL, 'tcp',
                          'two namespaces', pair_name(OURS, OURS), BRIDGE)


def flat_goal(lookup, metric):
    """The same with few and many ports."""
    keys = [(metric, f'{count:,} idle ports', 'our switch') for count in PORTS]
    seen = [lookup.results[key].median for key in keys if key in lookup.results]
    if len(seen) == len(PORTS) and min(seen) > 0:
        yield Goal(f'{METRICS[metric][0]}: the same within 20 % with 10, 100 and 1,000 ports',
                   max(seen) / min(seen) <= FLATNESS, f'{max(seen) / min(seen):.2f} times')


def idle_goals(lookup):
    """Many ports cost nothing but their memory."""
    ours = {key[:2]: result for key, result in lookup.results.items() if key[2] == 'our switch'}
    if result := ours.get(('wakeups', '1,000 ports')):
        yield Goal('idle switch with 1,000 ports: only timers wake it',
                   result.median <= TIMER_WAKEUPS, f'{result.median:.2f} a second')
    if result := ours.get(('memory', '1,000 ports')):
        yield Goal(f'a port takes less than {PORT_MEMORY} KiB', result.greatest < PORT_MEMORY,
                   f'{result.greatest:.1f} KiB')
    for metric in ('cpu', 'frames'):
        yield from flat_goal(lookup, metric)


def call_goals(lookup):
    """Programs under umvu, beside bare runs."""
    for (metric, group), most in LIMITS.items():
        found = lookup.pair(metric, group, UMVU, NATIVE)
        if found:
            ratio = found[0].median / (found[1].median or 1e-9)
            where = 'any CPU' if metric.endswith('_free') else 'one CPU'
            yield Goal(f'{group} under umvu, {where}: at most {most} times native', ratio <= most,
                       f'{ratio:.2f} times')
    for group, least in REQUESTS.items():
        found = lookup.pair('requests', group, UMVU, NATIVE)
        if found:
            ratio = found[0].median / (found[1].median or 1e-9)
            yield Goal(f'{group}, under umvu: at least {least} of native', ratio >= least,
                       f'{ratio:.2f} times')
    for text, metric, group, most, unit, other in (
            ('start of umvu', 'program', '/bin/true', START_MS, 'ms', UMVU),
            ('start of umvu, any CPU', 'program_free', '/bin/true', START_MS, 'ms', UMVU),
            ('private memory of the resident in a process', 'private', 'a process', PROCESS_KIB, 'KiB', UMVU),
            ('private memory of the resident for a thread', 'private', 'a thread', THREAD_KIB, 'KiB', UMVU),
            ('a traced call', 'traced', 'getppid', TRACE_US, 'us', 'umvu --trace')):
        found = lookup.pair(metric, group, other, UMVU if other != UMVU else NATIVE)
        if found:
            more = found[0].median - found[1].median
            yield Goal(f'{text}: at most {most} {unit} more', more <= most, f'{more:.2f} {unit}')


def verdicts(results):
    """[Goal] that can be judged by these results."""
    lookup = Lookup(results)
    return [goal for judge in (speed_goals, ring_goals, super_goals, loss_goals, tcp_goals,
                                   response_goals, idle_goals, ring_port_goals, call_goals)
            for goal in judge(lookup)]


def number(value):
    """A value with three digits that count."""
    if value >= 100:
        return f'{value:,.0f}'
    return f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def beside_debian(result, lookup):
    """How often Debian's value, with the same plugs, this one is."""
    if not result.contender.startswith(OURS.name):
        return ''
    other = DEBIAN.name + result.contender.removeprefix(OURS.name)
    found = lookup.pair(result.metric, result.group, result.contender, other)
    return f'{result.median / found[1].median:.2f}' if found and found[1].median else ''


def write_table(out, facts, results, goals, missing):
    """The table for people."""
    print(f"{facts['cpus']} CPUs {facts['cpu']}, Linux {facts['kernel']}, load "
          f"{facts['load']:.1f}; {facts['rounds']} round(s): medians; {facts['seconds']} s"
          + (' (quick: rough numbers)' if facts['quick'] else ''), file=out)
    lookup, last = Lookup(results), None
    for result in results:
        title, unit, higher = METRICS[result.metric]
        if last != (result.metric, result.group):
            last = result.metric, result.group
            print(f"\n{title}, {result.group} ({unit}, {'more' if higher else 'less'} is better)",
                  file=out)
            print(f'  {"":40}{"median":>12}{"least":>12}{"greatest":>12}{"to Debian":>11}',
                  file=out)
        print(f'  {result.contender:40}{number(result.median):>12}{number(result.least):>12}'
              f'{number(result.greatest):>12}{beside_debian(result, lookup):>11}', file=out)
    if goals:
        print('\ngoals', file=out)
    for goal in goals:
        print(f"  {'met   ' if goal.met else 'MISSED'}  {goal.text}: {goal.measured}", file=out)
    for why in missing:
        print(f'not measured: {why}', file=out)


def write_json(path, facts, results, goals, missing):
    """The numbers for programs."""
    rows = []
    for result in results:
        title, unit, higher = METRICS[result.metric]
        rows.append(result._asdict() | {'title': title, 'unit': unit,
                                        'better': 'higher' if higher else 'lower'})
    path.write_text(json.dumps({'machine': facts, 'results': rows,
                                'goals': [goal._asdict() for goal in goals],
                                'missing': missing}, indent=1) + '\n')
