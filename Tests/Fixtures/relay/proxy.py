#!/usr/bin/python3
"""A network that behaves badly, between an RTSP client and an RTSP server (or any other TCP or UDP peers).

  proxy.py --to 127.0.0.1:8554 [--listen 0] [--loss 0.02] [--reorder 0.05] [--duplicate 0.01] [--delay 20] [--jitter 10] [--seed 1]
  proxy.py --to 127.0.0.1:5000 --udp       one UDP flow, such as an MPEG transport stream
  proxy.py send PORT COMMAND               a command to the running proxy whose control port is PORT

Prints a JSON line when it is ready: port, control. In RTSP the Transport headers are rewritten, so that RTP and RTCP over UDP
pass through the proxy too. Loss (a share of packets), reordering (a share of packets, let past by the three that follow),
duplication, delay and jitter (ms) are those of UDP packets from the server to the client; TCP, which would repair them, is
delayed only.

Commands: stall (nothing passes, connections stay), go, cut (every connection is closed), refuse (closed, and so is every new
one), accept, and the options by name, such as `loss 0.1`; each is answered with one JSON line of what has passed so far.
"""
import argparse, asyncio, json, random, re, socket, sys, time

TRANSPORT = re.compile(rb'^(transport:)([^\r\n]*)', re.IGNORECASE | re.MULTILINE)


class Conditions:
    def __init__(self, args):
        self.loss, self.reorder, self.duplicate = args.loss, args.reorder, args.duplicate
        self.delay, self.jitter = args.delay, args.jitter
        self.random = random.Random(args.seed)
        self.going = asyncio.Event()
        self.going.set()
        self.refusing = False
        self.writers, self.flows = set(), set()
        self.counts = {'packets': 0, 'lost': 0, 'reordered': 0, 'duplicated': 0, 'connections': 0, 'bytes': 0}

    def wait(self):
        return max(0, self.delay + self.random.uniform(-self.jitter, self.jitter)) / 1000

    def command(self, words):
        name = words[0] if words else ''
        if name == 'stall':
            self.going.clear()
        elif name == 'go':
            self.going.set()
        elif name in ('cut', 'refuse'):
            self.refusing = name == 'refuse' or self.refusing
            for writer in list(self.writers):
                writer.transport.abort()
            for flow in list(self.flows):
                flow.close()
        elif name == 'accept':
            self.refusing = False
        elif name in ('loss', 'reorder', 'duplicate', 'delay', 'jitter') and len(words) == 2:
            setattr(self, name, float(words[1]))
        elif name != 'status':
            return {'error': f'unknown command {name}'}
        return self.counts


class Datagrams(asyncio.DatagramProtocol):
    """One side of a UDP flow: what arrives goes to `other`'s peer, under the conditions where `worse`."""

    def __init__(self, conditions, worse):
        self.conditions, self.worse = conditions, worse
        self.peer = self.other = self.transport = None
        self.held = []
        self.learns = False

    def connection_made(self, transport):
        self.transport = transport
        self.conditions.flows.add(self)

    def close(self):
        self.conditions.flows.discard(self)
        self.transport.close()

    def datagram_received(self, data, sender):
        c = self.conditions
        if self.learns:
            self.peer = sender
        if not c.going.is_set():
            return
        if not self.worse:
            self.other.transmit(data)
            return
        c.counts['packets'] += 1
        c.counts['bytes'] += len(data)
        if c.random.random() < c.loss:
            c.counts['lost'] += 1
            return
        if c.random.random() < c.reorder:
            c.counts['reordered'] += 1
            self.held.append([3, data])
            return
        copies = 1
        if c.random.random() < c.duplicate:
            c.counts['duplicated'] += 1
            copies = 2
        due = []
        for item in self.held:
            item[0] -= 1
            if item[0] == 0:
                due.append(item[1])
        self.held = [item for item in self.held if item[0] > 0]
        for packet in [data] * copies + due:
            if c.delay or c.jitter:
                asyncio.get_running_loop().call_later(c.wait(), self.other.transmit, packet)
            else:
                self.other.transmit(packet)

    def transmit(self, data):
        if self.peer is not None and not self.transport.is_closing():
            self.transport.sendto(data, self.peer)


def port_of(side):
    return side.transport.get_extra_info('sockname')[1]


async def even_pairs(conditions):
    """Flows for RTP and RTCP: the sides that face the server, and those that face the client, on neighbouring ports."""
    loop = asyncio.get_running_loop()
    result = []
    for worse in (True, False):
        while True:
            first = 2 * conditions.random.randrange(10000, 30000)
            sides = []
            try:
                for port in (first, first + 1):
                    _, side = await loop.create_datagram_endpoint(
                        lambda w=worse: Datagrams(conditions, w), local_addr=('127.0.0.1', port))
                    sides.append(side)
                break
            except OSError:
                for side in sides:
                    side.close()
        result.append(sides)
    for server_side, client_side in zip(*result):
        server_side.other, client_side.other = client_side, server_side
    return result


class Exchange:
    """One RTSP connection: rewrites Transport headers on both ways; interleaved data passes as it is."""

    def __init__(self, conditions):
        self.conditions = conditions
        self.setups = []  # of requests on their way: the client's ports and our flows
        self.sides = []

    def ports(self, text, name):
        found = re.search(rb'\b' + name + rb'=(\d+)(?:-(\d+))?', text)
        return (int(found[1]), int(found[2] or int(found[1]) + 1)) if found else None

    async def message(self, head, from_client):
        found = TRANSPORT.search(head)
        if not found or b'client_port' not in found[2].lower():
            return head
        text = found[2]
        if from_client:
            wanted = self.ports(text, b'client_port')
            server_sides, client_sides = await even_pairs(self.conditions)
            for side, port in zip(client_sides, wanted):
                side.peer = ('127.0.0.1', port)
            self.sides += server_sides + client_sides
            self.setups.append((wanted, server_sides, client_sides))
            text = re.sub(rb'client_port=[\d-]+', b'client_port=%d-%d' % tuple(map(port_of, server_sides)), text)
        elif self.setups:
            wanted, server_sides, client_sides = self.setups.pop(0)
            for side, port in zip(server_sides, self.ports(text, b'server_port') or ()):
                side.peer = ('127.0.0.1', port)
            text = re.sub(rb'client_port=[\d-]+', b'client_port=%d-%d' % wanted, text)
            text = re.sub(rb'server_port=[\d-]+', b'server_port=%d-%d' % tuple(map(port_of, client_sides)), text)
        return head[:found.start(2)] + text + head[found.end(2):]

    async def pump(self, reader, line, from_client):
        """Whole messages and interleaved packets, one after another."""
        while True:
            first = await reader.readexactly(1)
            if first == b'$':
                rest = await reader.readexactly(3)
                data = first + rest + await reader.readexactly(int.from_bytes(rest[1:], 'big'))
            else:
                head = first + await reader.readuntil(b'\r\n\r\n')
                length = re.search(rb'^content-length:\s*(\d+)', head, re.IGNORECASE | re.MULTILINE)
                body = await reader.readexactly(int(length[1])) if length else b''
                data = await self.message(head, from_client) + body
            await line.put(data)


class Line:
    """One way of a TCP connection: bytes in order, each late by the delay, and none while the network stalls."""

    def __init__(self, conditions, writer, from_client):
        self.conditions, self.writer, self.from_client = conditions, writer, from_client
        self.waiting = asyncio.Queue(maxsize=256)

    async def put(self, data):
        late = 0 if self.from_client else self.conditions.wait()
        await self.waiting.put((time.monotonic() + late, data))

    async def run(self):
        while True:
            due, data = await self.waiting.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            await self.conditions.going.wait()
            if not self.from_client:
                self.conditions.counts['bytes'] += len(data)
            self.writer.write(data)
            await self.writer.drain()


async def plain(reader, line, from_client):
    while data := await reader.read(16384):
        await line.put(data)


async def connection(conditions, target, is_plain, reader, writer):
    if conditions.refusing:
        writer.transport.abort()
        return
    conditions.counts['connections'] += 1
    try:
        far_reader, far_writer = await asyncio.open_connection(*target)
    except OSError:
        writer.transport.abort()
        return
    conditions.writers |= {writer, far_writer}
    exchange = Exchange(conditions)
    move = plain if is_plain else exchange.pump
    ways = []
    for source, sink, from_client in ((reader, far_writer, True), (far_reader, writer, False)):
        line = Line(conditions, sink, from_client)
        ways += [asyncio.ensure_future(each) for each in (move(source, line, from_client), line.run())]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    for each in (writer, far_writer):
        conditions.writers.discard(each)
        each.close()
    for side in exchange.sides:
        side.close()


async def control(conditions, reader, writer):
    line = await reader.readline()
    writer.write(json.dumps(conditions.command(line.decode().split())).encode() + b'\n')
    await writer.drain()
    writer.close()


async def serve(args):
    conditions = Conditions(args)
    host, _, port = args.to.rpartition(':')
    target = (host, int(port))
    commands = await asyncio.start_server(lambda r, w: control(conditions, r, w), '127.0.0.1', 0)
    if args.udp:
        loop = asyncio.get_running_loop()
        _, near = await loop.create_datagram_endpoint(
            lambda: Datagrams(conditions, True), local_addr=('127.0.0.1', args.listen))
        _, far = await loop.create_datagram_endpoint(lambda: Datagrams(conditions, False), local_addr=('127.0.0.1', 0))
        near.other, far.other, near.learns, far.peer = far, near, True, target
        own = port_of(near)
    else:
        listening = await asyncio.start_server(
            lambda r, w: connection(conditions, target, args.plain, r, w), '127.0.0.1', args.listen, limit=1 << 20)
        own = listening.sockets[0].getsockname()[1]
    print(json.dumps({'port': own, 'control': commands.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.Event().wait()


def send(port, command):
    with socket.create_connection(('127.0.0.1', int(port)), timeout=5) as connected:
        connected.sendall(command.encode() + b'\n')
        answer = connected.makefile().readline()
    print(answer, end='')
    return 1 if 'error' in json.loads(answer) else 0


def main():
    if len(sys.argv) > 3 and sys.argv[1] == 'send':
        sys.exit(send(sys.argv[2], ' '.join(sys.argv[3:])))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--to', required=True, metavar='HOST:PORT')
    parser.add_argument('--listen', type=int, default=0, metavar='PORT')
    parser.add_argument('--udp', action='store_true')
    parser.add_argument('--plain', action='store_true', help='TCP that is not RTSP')
    for name in ('loss', 'reorder', 'duplicate', 'delay', 'jitter'):
        parser.add_argument('--' + name, type=float, default=0)
    parser.add_argument('--seed', type=int, default=1)
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass


if __name__ == '__main__':
    main()
