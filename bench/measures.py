# SPDX-License-Identifier: GPL-2.0-or-later
"""The measurements. Each makes its contenders once, then gives the steps of one round any number of
times; a step takes a few Samples of one contender."""

import collections
import contextlib
import json
import os
import resource
import time

from contenders import (Failed, Missing, Ports, Shell, Switch, memory_of, namespace, tool,
                        vde_namespace)

# metric: what, with its unit; group: what it is compared with beside it (frame size, ports);
# contender: who; value: a number, higher or lower is better as METRICS says.
Sample = collections.namedtuple('Sample', 'metric group contender value')
Step = collections.namedtuple('Step', 'label take')
Contender = collections.namedtuple('Contender', 'name link side enter switch options',
                                   defaults=((),))

# {metric: (title, unit, higher is better)}
METRICS = {
    'frames': ('frames received a second', 'frames/s', True),
    'loss': ('frames lost of those sent', '%', False),
    'cpu': ('CPU time of the switch for a frame', 'ns', False),
    'roundtrip': ('round trip, median', 'us', False),
    'roundtrip_p99': ('round trip, 99th percentile', 'us', False),
    'roundtrip_lost': ('round trips lost', '%', False),
    'super': ('super-frames of 65,000 bytes', 'Gbit/s', True),
    'ptp': ('frames received a second, plug to plug', 'frames/s', True),
    'ptp_loss': ('frames lost of those sent, plug to plug', '%', False),
    'bounce': ('round trip, both plugs in one thread, median', 'us', False),
    'tcp': ('TCP, one stream', 'Gbit/s', True),
    'retransmits': ('TCP segments sent again', 'a second', False),
    'response': ('request and response over TCP, median', 'us', False),
    'wakeups': ('wake-ups of an idle switch', 'a second', False),
    'memory': ('memory of the switch for a port', 'KiB', False),
    'ring_memory': ('memory of switch and rings for a port', 'KiB', False),
    'ring_frames': ('frames received a second, rings', 'frames/s', True),
    'ring_cpu': ('CPU time of the switch for a frame, rings', 'ns', False),
}
SIZES = (64, 1514)
PORTS = (10, 100, 1000)
VETH, BRIDGE, MEMCPY = 'veth', 'veth and bridge', 'memcpy'
BATCH = ('--batch', 64)
BORROW = (*BATCH, '--borrow')
SUPER_SIZE = 65000
SUPER = ('--batch', 8, '--super')
BURST_PORTS, BURST_FRAMES, BURST_MEMORY, BURST_SECONDS = 20, 600, 256, 10


def pair_name(switch, plug):
    """A contender made of two sides."""
    return f'{switch.name} switch, {plug.name} plugs'


class Measure:
    """Base: makes contenders in prepare(), ends what they need with itself."""

    title = ''

    def __init__(self, rig):
        self.rig = rig
        self.missing = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.prepare()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_exception):
        self.stack.close()

    def keep(self, thing):
        """Close the thing at the end of the measurement."""
        self.stack.callback(thing.close)
        return thing

    def attempt(self, make):
        """What make() gives; where the machine lacks something, that is noted instead."""
        try:
            return make()
        except Missing as why:
            self.missing.append(str(why))
        except Failed as why:
            self.missing.append(f'{make.__name__}: {why}')
        return []

    def switch(self, side, *options):
        """A switch for the time of the measurement."""
        return self.keep(Switch(self.rig, side, *options))

    def prepare(self):
        """Make the contenders."""

    def steps(self):
        """The steps of one round."""
        raise NotImplementedError


class LinkMeasure(Measure):
    """Base of what is measured with the load generator between two ends."""

    def prepare(self):
        self.contenders = []
        for make in (self.vde_contenders, self.kernel_contenders):
            self.contenders += self.attempt(make)

    def vde_contenders(self):
        """Each switch with each side's plugs."""
        made = []
        for side in self.rig.sides:
            switch = self.switch(side)
            for plug in self.rig.sides:
                link = f'vde:{switch.path}'
                made.append(Contender(pair_name(side, plug), (link, link), plug, (), switch))
        return made

    def kernel_contenders(self):
        """Two ends of a veth pair; two pairs and a bridge; all in one namespace."""
        shell = namespace(self.rig)
        ip = tool('ip')
        script = ['link add a0 type veth peer name b0', 'link add a1 type veth peer name a2',
                  'link add b1 type veth peer name b2', 'link add br0 type bridge',
                  'link set a2 master br0', 'link set b2 master br0']
        script += [f'link set {name} up' for name in ('a0', 'b0', 'a1', 'a2', 'b1', 'b2', 'br0')]
        for line in script:
            shell.run(f'{ip} {line}')
        return [Contender(VETH, ('packet:a0', 'packet:b0'), None, shell.enter(), None),
                Contender(BRIDGE, ('packet:a1', 'packet:b1'), None, shell.enter(), None)]

    def load(self, contender, role, end, *options):
        """The load generator at one end of a contender."""
        return self.rig.load(role, contender.link[end], *contender.options, *options,
                             side=contender.side,
                             enter=contender.enter)

    def answerer(self, contender, role, *options):
        """The load generator that answers, which can be reached when this returns."""
        child = self.load(contender, role, 1, *options)
        if child.line() != 'ready':
            raise Failed(f'{role} on {contender.name}')
        return child


def flood(measure, contender, size, milliseconds):
    """(report of the receiver, of the sender, CPU seconds of the switch) of one flood."""
    receiver = measure.answerer(contender, 'recv', '--size', size)
    before = contender.switch.cpu() if contender.switch else 0
    sender = measure.load(contender, 'send', 0, '--size', size, '--time', milliseconds)
    sent = sender.report()
    received = receiver.report()
    used = contender.switch.cpu() - before if contender.switch else 0
    measure.rig.end(sender, receiver)
    for report in (sent, received):
        if contender.side and str(contender.side.libraries) not in report['link']:
            raise Failed(f'{report["link"]} instead of the library in {contender.side.libraries}')
    if received['bad'] or received['reordered'] or received['received'] > sent['sent']:
        raise Failed(f'{contender.name}: damaged, doubled or reordered: {received} {sent}')
    return received, sent, used


@contextlib.contextmanager
def one_cpu(*pids):
    """Meanwhile these processes and what is started run on one CPU."""
    everywhere = os.sched_getaffinity(0)
    try:
        for pid in (0, *pids):
            os.sched_setaffinity(pid, {max(everywhere)})
        yield
    finally:
        for pid in (0, *pids):
            os.sched_setaffinity(pid, everywhere)


class Frames(LinkMeasure):
    """As many frames as one sender can send."""

    title = 'frames a second and loss at 64 and 1514 bytes'

    def vde_contenders(self):
        """Our switch also without rings, with batches, and with borrowed frames."""
        made = super().vde_contenders()
        first = made[0]
        old = f'{first.link[0]}[ring=no]'
        return made + [first._replace(name=f'{first.name}, ring=no', link=(old, old)),
                       first._replace(name=f'{first.name}, batches', options=BATCH),
                       first._replace(name=f'{first.name}, borrowed', options=BORROW)]

    def steps(self):
        for size in SIZES:
            for contender in self.contenders:
                yield Step(f'{contender.name}, {size} bytes',
                           lambda c=contender, s=size: self.take(c, s))

    def take(self, contender, size):
        """One flood."""
        received, sent, used = flood(self, contender, size, 200 if self.rig.quick else 700)
        group = f'{size} bytes'
        rate = received['received'] / max(received['seconds'], 1e-3)
        lost = 100 * (sent['sent'] - received['received']) / sent['sent']
        samples = [Sample('frames', group, contender.name, rate),
                   Sample('loss', group, contender.name, lost)]
        if contender.switch and received['received']:
            samples.append(Sample('cpu', group, contender.name,
                                  1e9 * used / received['received']))
        return samples


class Super(LinkMeasure):
    """64 KiB at a time, beside what one copy of as much could do at most."""

    title = 'super-frames of 65,000 bytes beside memcpy'

    def prepare(self):
        switch = self.switch(self.rig.ours)
        link = f'vde:{switch.path}'
        first = Contender(pair_name(self.rig.ours, self.rig.ours), (link, link), self.rig.ours, (),
                          switch)
        self.contenders = [first._replace(name=f'{first.name}, batches', options=SUPER),
                           first._replace(name=f'{first.name}, borrowed',
                                          options=(*SUPER, '--borrow'))]

    def steps(self):
        yield Step(MEMCPY, self.take_memcpy)
        for contender in self.contenders:
            yield Step(contender.name, lambda c=contender: self.take(c))

    def milliseconds(self):
        """How long one of them lasts."""
        return 200 if self.rig.quick else 700

    def take_memcpy(self):
        """A copy through a buffer of a ring's size."""
        child = self.rig.load('memcpy', '-', '--size', SUPER_SIZE, '--time', self.milliseconds())
        seen = child.report()
        self.rig.end(child)
        return [Sample('super', MEMCPY, MEMCPY, 8e-9 * seen['bytes'] / seen['seconds'])]

    def take(self, contender):
        """One flood."""
        received, sent, _used = flood(self, contender, SUPER_SIZE, self.milliseconds())
        rate = 8e-9 * SUPER_SIZE * received['received'] / max(received['seconds'], 1e-3)
        lost = 100 * (sent['sent'] - received['received']) / sent['sent']
        return [Sample('super', MEMCPY, contender.name, rate),
                Sample('loss', f'{SUPER_SIZE:,} bytes', contender.name, lost)]


class Ptp(LinkMeasure):
    """Two plugs without a switch; the two sides have different protocols."""

    title = 'ptp, plug to plug, 64 bytes'

    def prepare(self):
        ours, debian = (Contender(f'{side.name} plugs', (), side, (), None)
                        for side in self.rig.sides)
        self.contenders = [ours, ours._replace(name='our plugs, batches', options=BATCH), debian]

    def steps(self):
        for contender in self.contenders:
            yield Step(contender.name, lambda c=contender: self.take(c))

    def take(self, contender):
        """One flood, at a new place: an end that is gone may have left its socket."""
        link = f'vde:ptp://{self.rig.name("ptp")}'
        received, sent, _used = flood(self, contender._replace(link=(link, link)), SIZES[0],
                                      200 if self.rig.quick else 700)
        rate = received['received'] / max(received['seconds'], 1e-3)
        lost = 100 * (sent['sent'] - received['received']) / sent['sent']
        return [Sample('ptp', '64 bytes', contender.name, rate),
                Sample('ptp_loss', '64 bytes', contender.name, lost)]


class Bounce(LinkMeasure):
    """Both plugs in one thread. Ours does not sleep, and our switch spins."""

    title = 'round trip of a 64 byte frame, both plugs in one thread'

    def prepare(self):
        self.contenders = []
        for side in self.rig.sides:
            ours = side is self.rig.ours
            switch = self.switch(side, *(('--busy-poll', 1000) if ours else ()))
            link = f'vde:{switch.path}'
            self.contenders.append(Contender(pair_name(side, side), (link, link), side, (), switch,
                                             ('--batch', 1) if ours else ()))

    def steps(self):
        for contender in self.contenders:
            yield Step(contender.name, lambda c=contender: self.take(c))

    def take(self, contender):
        """Some thousand round trips."""
        child = self.load(contender, 'bounce', 0, '--count', 500 if self.rig.quick else 5000)
        seen = child.report(60)
        self.rig.end(child)
        return [Sample('bounce', '64 bytes', contender.name, 1e6 * seen['median'])]


class RoundTrip(LinkMeasure):
    """One frame at a time, there and back.

    All on one CPU: whoever waits there is woken at once, while a wake-up across CPUs takes longer
    than everything else, and the scheduler's choice would be what is measured.
    """

    title = 'round trip of a 64 byte frame'

    def steps(self):
        for contender in self.contenders:
            yield Step(contender.name, lambda c=contender: self.take(c))

    def take(self, contender):
        """Some thousand round trips."""
        count = 500 if self.rig.quick else 3000
        with one_cpu(*[contender.switch.pid] if contender.switch else []):
            echo = self.answerer(contender, 'echo')
            ping = self.load(contender, 'ping', 0, '--count', count)
            seen = ping.report(60)
        self.rig.end(ping, echo)
        return [Sample('roundtrip', '64 bytes', contender.name, 1e6 * seen['median']),
                Sample('roundtrip_p99', '64 bytes', contender.name, 1e6 * seen['p99']),
                Sample('roundtrip_lost', '64 bytes', contender.name, 100 * seen['lost'] / count)]


class Tcp(Measure):
    """iperf3 between two namespaces."""

    title = 'TCP between two vdens, one stream'
    server, client = '10.99.0.1', '10.99.0.2'

    def prepare(self):
        tool('iperf3')
        self.pairs, self.switches = [], []
        for make in (self.vde_pairs, self.veth_pair, self.bridge_pair):
            self.pairs += self.attempt(make)

    def vde_pairs(self):
        """(name, server shell, client shell) for each switch with each side's vdens."""
        made = []
        for side in self.rig.sides:
            switch = self.switch(side)
            self.switches.append(switch.pid)
            ways = [(pair_name(side, plug), plug, '', ()) for plug in self.rig.sides]
            if side is self.rig.ours:
                name = ways[0][0]
                ways += [(f'{name}, relay', side, '', ('--relay',)),
                         (f'{name}, ring=no', side, '[ring=no]', ())]
            for name, plug, wish, options in ways:
                # All have the same two addresses: only the pair that is measured is up.
                ends = [vde_namespace(self.rig, plug, plug, f'{switch.path}{wish}',
                                      f'{address}/24', *options)
                        for address in (self.server, self.client)]
                for end in ends:
                    end.run(f'{tool("ip")} link set vde0 down')
                made.append((name, *ends))
        return made

    def veth_pair(self):
        """Two namespaces and a cable."""
        server = namespace(self.rig)
        client = self.inner(server)
        ip = tool('ip')
        server.run(f'{ip} link add vde0 type veth peer name vde0 netns {client.pid}')
        return [(VETH, *self.addressed(server, client))]

    def bridge_pair(self):
        """Two namespaces, two cables, and a bridge in a third namespace."""
        middle = namespace(self.rig)
        ends = [self.inner(middle), self.inner(middle)]
        ip = tool('ip')
        middle.run(f'{ip} link add br0 type bridge && {ip} link set br0 up')
        for number, end in enumerate(ends):
            middle.run(f'{ip} link add port{number} type veth peer name vde0 netns {end.pid} && '
                       f'{ip} link set port{number} master br0 up')
        return [(BRIDGE, *self.addressed(*ends))]

    def inner(self, outer):
        """One more namespace that belongs to the user namespace of another."""
        return Shell(self.rig, [*outer.enter(), tool('unshare'), '-n', '--'])

    def addressed(self, server, client):
        """Both with their addresses; down until they are measured."""
        ip = tool('ip')
        for end, address in ((server, self.server), (client, self.client)):
            end.run(f'{ip} link set lo up; {ip} addr add {address}/24 dev vde0')
        return server, client

    def steps(self):
        for name, server, client in self.pairs:
            yield Step(name, lambda n=name, s=server, c=client: self.take(n, s, c))

    def take(self, name, server, client):
        """One transfer."""
        seconds = 1 if self.rig.quick else 3
        ip, iperf = tool('ip'), tool('iperf3')
        for end in (server, client):
            end.run(f'{ip} link set vde0 up')
        server.start(f'{iperf} -s -1 >/dev/null 2>&1')
        wait_listening(server)
        seen = json.loads(client.run(f'{iperf} -J -c {self.server} -t {seconds}', seconds + 20))
        server.finish()
        for end in (server, client):
            end.run(f'{ip} link set vde0 down')
        end = seen['end']
        return [Sample('tcp', 'two namespaces', name, end['sum_received']['bits_per_second'] / 1e9),
                Sample('retransmits', 'two namespaces', name,
                       end['sum_sent']['retransmits'] / seconds)]


class Response(Tcp):
    """One byte there and one back over TCP, all on one CPU (for the reason see RoundTrip)."""

    title = 'request and response over TCP between two vdens'

    def take(self, name, server, client):
        """Some thousand of them."""
        ip, load = tool('ip'), self.rig.build / 'bench' / 'load'
        processes = [*self.switches, *{each for end in (server, client)
                                       for each in (end.pid, end.child.pid)}]
        with one_cpu(*processes):
            for end in (server, client):
                end.run(f'{ip} link set vde0 up')
            server.start(f'{load} tcp-echo {self.server} >/dev/null 2>&1')
            wait_listening(server, 5202)
            seen = json.loads(client.run(
                f'{load} tcp-ping --count {500 if self.rig.quick else 3000} {self.server}', 40))
            server.finish()
            for end in (server, client):
                end.run(f'{ip} link set vde0 down')
        return [Sample('response', 'two namespaces', name, 1e6 * seen['median'])]


def wait_listening(shell, port=5201):
    """Wait until something in the shell's namespace listens on the port."""
    deadline = time.monotonic() + 10
    wanted = f':{port:04X} '
    while time.monotonic() < deadline:
        for name in ('tcp', 'tcp6'):
            with open(f'/proc/{shell.pid}/net/{name}', encoding='ascii') as table:
                if any(wanted in line.split(maxsplit=2)[1] + ' ' and ' 0A ' in line
                       for line in table):
                    return
        time.sleep(0.02)
    raise Failed('iperf3 does not listen')


class Idle(Measure):
    """A thousand ports on which nothing happens."""

    title = 'memory, wake-ups and cost of frames with up to 1,000 idle ports'

    def prepare(self):
        need = 2 * len(self.rig.sides) * sum(PORTS) + 200      # two sockets a port
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < need:
            if hard != resource.RLIM_INFINITY and hard < need:
                raise Missing(f'{need} descriptors (ulimit -Hn says {hard})')
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
        self.switches = []
        for side in self.rig.sides:
            for count in PORTS:
                switch = self.switch(side, '-n', PORTS[-1] + 50)
                before = switch.memory()
                ports = self.keep(Ports(switch, count))
                self.switches.append((side, count, switch, ports, before))

    def steps(self):
        for side, count, switch, _ports, before in self.switches:
            if count == PORTS[-1]:
                yield Step(f'{side.name} switch, idle',
                           lambda a=side, s=switch, b=before: self.take_idle(a, s, b))
        for side, count, switch, ports, _before in self.switches:
            yield Step(f'{side.name} switch, {count} idle ports',
                       lambda a=side, n=count, s=switch, p=ports: self.take_cost(a, n, s, p))

    def take_idle(self, side, switch, before):
        """Some seconds of silence."""
        seconds = 2 if self.rig.quick else 5
        start, begun = switch.wakeups(), time.monotonic()
        time.sleep(seconds)
        rate = (switch.wakeups() - start) / (time.monotonic() - begun)
        memory = (switch.memory() - before) / PORTS[-1] / 1024
        name = f'{side.name} switch'
        return [Sample('wakeups', '1,000 ports', name, rate),
                Sample('memory', '1,000 ports', name, memory)]

    def take_cost(self, side, count, switch, ports):
        """One flood between two more ports."""
        ports.drain()
        link = f'vde:{switch.path}'
        plug = self.rig.debian if self.attempt_library(self.rig.debian) else self.rig.ours
        contender = Contender(f'{side.name} switch', (link, link), plug, (), switch)
        received, _sent, used = flood(LinkMeasure(self.rig), contender, SIZES[0],
                                      200 if self.rig.quick else 500)
        group = f'{count:,} idle ports'
        frames = max(received['received'], 1)
        return [Sample('frames', group, contender.name, frames / max(received['seconds'], 1e-3)),
                Sample('cpu', group, contender.name, 1e9 * used / frames)]

    @staticmethod
    def attempt_library(side):
        """True when the side has a library."""
        return (side.libraries / 'libvdeplug.so.2').exists()


class RingPorts(LinkMeasure):
    """Many ports with rings, in one process, which takes what comes."""

    title = 'memory and cost of frames with up to 1,000 idle ports with rings'

    def prepare(self):
        need = 6 * PORTS[-1]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < need:
            if hard != resource.RLIM_INFINITY and hard < need:
                raise Missing(f'{need} descriptors (ulimit -Hn says {hard})')
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
        self.held = []
        for count in PORTS:
            switch = self.switch(self.rig.ours, '-n', PORTS[-1] + 50)
            self.held.append((count, switch, *self.hold(switch, count)))
        self.burst_done = False

    def hold(self, switch, count):
        """(who has that many ports, the memory of the switch before)."""
        before = switch.memory()
        child = self.rig.load('hold', f'vde:{switch.path}', '--batch', 16, '--connections', count,
                              side=self.rig.ours)
        if child.line(60) != 'ready':
            raise Failed(f'{count} ports')
        return child, before

    def steps(self):
        for count, switch, child, before in self.held:
            yield Step(f'{count} ports, memory',
                       lambda a=(switch, child, before, count): self.take_memory(*a))
            yield Step(f'{count} ports, frames',
                       lambda n=count, s=switch: self.take_cost(n, s))
        if not self.burst_done:     # it takes its time, and the amount does not vary
            self.burst_done = True
            yield Step('a burst', self.take_burst)

    @staticmethod
    def memory(switch, child, before, count):
        """KiB for a port: of the switch, and the rings as far as they have pages."""
        return (switch.memory() - before + memory_of(child.pid, 'Pss_Shmem')) / count / 1024

    def take_memory(self, switch, child, before, count):
        """Of ports on which nothing happens, unless frames were sent to all."""
        return [Sample('ring_memory', f'{count:,} idle ports', 'our switch',
                       self.memory(switch, child, before, count))]

    def take_cost(self, count, switch):
        """One flood between two more ports."""
        link = f'vde:{switch.path}'
        contender = Contender('our switch', (link, link), self.rig.ours, (), switch, BATCH)
        received, _sent, used = flood(self, contender, SIZES[0], 200 if self.rig.quick else 500)
        group, frames = f'{count:,} idle ports', max(received['received'], 1)
        return [Sample('ring_frames', group, 'our switch',
                       frames / max(received['seconds'], 1e-3)),
                Sample('ring_cpu', group, 'our switch', 1e9 * used / frames)]

    @staticmethod
    def watch(look, enough):
        """What look() says when it is enough, or at the end."""
        deadline = time.monotonic() + BURST_SECONDS
        while not enough(value := look()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return value

    def take_burst(self):
        """Frames to everybody; then the memory that is left when it is little, or after 10 s."""
        switch = self.switch(self.rig.ours)
        child, before = self.hold(switch, BURST_PORTS)
        link = f'vde:{switch.path}'
        burst = self.rig.load('burst', link, '--size', SIZES[1], '--count', BURST_FRAMES,
                              side=self.rig.ours)
        if burst.line() != 'ready':
            raise Failed('burst')
        peak = self.watch(lambda: self.memory(switch, child, before, BURST_PORTS),
                          lambda memory: memory > BURST_MEMORY)
        if peak <= BURST_MEMORY:
            raise Failed(f'a burst that takes no memory: {peak:.0f} KiB')
        self.rig.end(burst)
        left = self.watch(lambda: self.memory(switch, child, before, BURST_PORTS),
                          lambda memory: memory <= BURST_MEMORY / 4)
        self.rig.end(child)
        return [Sample('ring_memory', 'in a burst', 'our switch', peak),
                Sample('ring_memory', 'after a burst', 'our switch', left)]


MEASURES = {'frames': Frames, 'super': Super, 'ptp': Ptp, 'roundtrip': RoundTrip,
            'bounce': Bounce, 'tcp': Tcp, 'response': Response, 'idle': Idle,
            'ringports': RingPorts}
