"""A server that plays one FLV stream over RTMP (Adobe's specification 1.0) to one reader, whatever it asks for.

Arguments: PORT FLV-FILE. The file's tags go out as fast as their times say.
"""
import socket
import struct
import sys
import time


def read(peer, count):
    data = b""
    while len(data) < count:
        more = peer.recv(count - len(data))
        if not more:
            raise SystemExit
        data += more
    return data


def string(text):
    return b"\x02" + struct.pack(">H", len(text)) + text.encode()


def number(value):
    return b"\x00" + struct.pack(">d", value)


def record(pairs):
    body = b"".join(struct.pack(">H", len(k)) + k.encode() + v for k, v in pairs.items())
    return b"\x03" + body + b"\x00\x00\x09"


def send(peer, channel, kind, stream, stamp, body, size=4096):
    peer.sendall(bytes([channel]) + struct.pack(">I", stamp)[1:] + struct.pack(">I", len(body))[1:] + bytes([kind])
                 + struct.pack("<I", stream))
    for start in range(0, len(body), size):
        peer.sendall((bytes([0xC0 | channel]) if start else b"") + body[start:start + size])


class Reader:
    """Messages of the client: chunks of 128 bytes until it says otherwise."""

    def __init__(self, peer):
        self.peer, self.size, self.headers, self.parts = peer, 128, {}, {}

    def message(self):
        while True:
            first = read(self.peer, 1)[0]
            form, channel = first >> 6, first & 63
            length, kind = self.headers.get(channel, (0, 0))
            if form < 3:
                head = read(self.peer, (11, 7, 3)[form])
                if form < 2:
                    length, kind = int.from_bytes(head[3:6], "big"), head[6]
            self.headers[channel] = (length, kind)
            part = self.parts.pop(channel, b"")
            part += read(self.peer, min(self.size, length - len(part)))
            if len(part) < length:
                self.parts[channel] = part
            elif kind == 1:
                self.size = int.from_bytes(part, "big")
            else:
                return kind, part


def answer(peer, body):
    """Replies to a command; true where it asks to play."""
    length = struct.unpack(">H", body[1:3])[0]
    name, call = body[3:3 + length], struct.unpack(">d", body[4 + length:12 + length])[0]
    if name == b"connect":
        send(peer, 2, 5, 0, 0, struct.pack(">I", 5000000))
        send(peer, 2, 1, 0, 0, struct.pack(">I", 4096))
        status = {"level": string("status"), "code": string("NetConnection.Connect.Success")}
        send(peer, 3, 20, 0, 0, string("_result") + number(call) + record({}) + record(status))
    elif name == b"createStream":
        send(peer, 3, 20, 0, 0, string("_result") + number(call) + b"\x05" + number(1))
    elif name == b"play":
        status = {"level": string("status"), "code": string("NetStream.Play.Start")}
        send(peer, 5, 20, 1, 0, string("onStatus") + number(0) + b"\x05" + record(status))
        return True
    return False


def play(peer, path):
    data, place, start = open(path, "rb").read(), 13, time.monotonic()
    while place + 11 <= len(data):
        kind, length = data[place], int.from_bytes(data[place + 1:place + 4], "big")
        stamp = int.from_bytes(data[place + 4:place + 7], "big")
        time.sleep(max(0, stamp / 1000 - (time.monotonic() - start)))
        send(peer, 6, kind, 1, stamp, data[place + 11:place + 11 + length])
        place += 15 + length


server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
peer, _ = server.accept()
hello = read(peer, 1537)
peer.sendall(b"\x03" + bytes(1536) + hello[1:])
read(peer, 1536)
reader = Reader(peer)
while True:
    kind, body = reader.message()
    if kind == 20 and answer(peer, body):
        break
play(peer, sys.argv[2])
