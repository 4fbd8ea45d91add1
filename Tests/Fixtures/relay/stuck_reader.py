#!/usr/bin/python3
"""A reader that asks for a stream over TCP, takes N bytes of it, and then takes nothing more but stays connected.

  stuck_reader.py rtsp://127.0.0.1:8554/night [--bytes 20000]

Prints one JSON line when it stops reading. Its buffer in the kernel is as small as can be, so that the server feels it soon.
"""
import argparse, json, re, socket, time


def ask(connected, method, address, number, *headers):
    lines = [f'{method} {address} RTSP/1.0', f'CSeq: {number}', *headers, '', '']
    connected.sendall('\r\n'.join(lines).encode())
    reply = b''
    while b'\r\n\r\n' not in reply:
        part = connected.recv(1)
        if not part:
            raise SystemExit(f'{method}: the server has gone')
        reply += part
    length = re.search(rb'content-length:\s*(\d+)', reply, re.IGNORECASE)
    body = b''
    while length and len(body) < int(length[1]):
        body += connected.recv(int(length[1]) - len(body))
    if b' 200 ' not in reply.split(b'\r\n', 1)[0] + b' ':
        raise SystemExit(f'{method}: {reply.splitlines()[0].decode()}')
    return reply.decode(), body.decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('address')
    parser.add_argument('--bytes', type=int, default=20000)
    args = parser.parse_args()
    host, port = re.match(r'rtsp://([^:/]+):(\d+)', args.address).groups()
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connected.connect((host, int(port)))
    head, sdp = ask(connected, 'DESCRIBE', args.address, 1, 'Accept: application/sdp')
    base = re.search(r'content-base:\s*(\S+)', head, re.IGNORECASE)
    control = re.search(r'm=video.*?a=control:(\S+)', sdp, re.DOTALL)[1]
    track = control if control.startswith('rtsp:') else (base[1] if base else args.address).rstrip('/') + '/' + control
    head, _ = ask(connected, 'SETUP', track, 2, 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1')
    session = re.search(r'session:\s*([^\s;]+)', head, re.IGNORECASE)[1]
    ask(connected, 'PLAY', args.address, 3, f'Session: {session}', 'Range: npt=0.000-')
    taken = 0
    while taken < args.bytes:
        part = connected.recv(4096)
        if not part:
            raise SystemExit('the server has gone')
        taken += len(part)
    print(json.dumps({'stuck': True, 'bytes': taken}), flush=True)
    time.sleep(3600)


if __name__ == '__main__':
    main()
