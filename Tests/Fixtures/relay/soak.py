#!/usr/bin/python3
"""Runs `solstice relay` for long with a fault every few seconds, and says whether it is as well at the end as it was at the start.

  soak.py [--minutes 30] [--every 4] [--seed 1] [--solstice .build/release/solstice] [--size 640x360] [--fps 25] [--relay ...]

A camera (camera.py) is relayed through a proxy (proxy.py) to the embedded server, a publishing target (target.py) and rolling
files; a reader (pattern.py) stays connected and measures latency. Before each fault, when all is quiet, memory, file
descriptors and threads of the relay are taken from /proc. Ends with a table and 0, or 1 where the relay died, did not recover,
lost its reader, left a broken file, ended late, or where memory, descriptors, threads or latency grew. What follows --relay
goes to the relay as it is.
"""
import argparse, glob, json, os, random, shutil, signal, socket, statistics, subprocess, sys, tempfile, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import pattern

RECOVERY_LIMIT = 60.0  # seconds: the longest wait between attempts is 15 s, and a machine may have much else to do
FAULTS = {
    'camera killed': 5, 'connection cut': 6, 'camera stalled': 1, 'camera paused': 1, 'camera resized': 1, 'network stalled': 1,
    'slow reader': 1, 'reader over UDP': 1, 'target killed': 1, 'style changed': 1,
}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Peer:
    """A program of which every line of output is JSON; the last line and all of them so far can be asked for."""

    def __init__(self, name, command, log=None, keep=None):
        self.name, self.lines, self.last, self.keep = name, 0, {}, keep
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self.collect, daemon=True)
        self.thread.start()

    def collect(self):
        for line in self.process.stdout:
            try:
                value = json.loads(line)
            except ValueError:
                value = {'text': line.strip()}
            self.last = value
            self.lines += 1
            if self.keep:
                self.keep(value)

    def ready(self, limit=20):
        end = time.monotonic() + limit
        while self.lines == 0 and self.alive and time.monotonic() < end:
            time.sleep(0.02)
        if self.lines == 0:
            raise SystemExit(f'{self.name} does not start')
        return self

    @property
    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.alive:
            self.process.send_signal(number)

    def kill(self):
        if self.alive:
            self.process.kill()
        self.process.wait()


def script(name, *arguments):
    return [sys.executable, os.path.join(HERE, name), *arguments]


class Bench:
    """The relay and everything around it."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.random = random.Random(args.seed)
        self.log = open(os.path.join(folder, 'errors.log'), 'w')
        self.ports = {name: free_port() for name in ('camera', 'target', 'listen')}
        self.status = {}
        self.meter, self.passing = None, []
        self.laps = []
        self.start_camera()
        self.start_target()
        self.proxy = Peer('proxy', script(
            'proxy.py', '--to', f'127.0.0.1:{self.ports["camera"]}', '--seed', str(args.seed)), self.log).ready()
        self.proxy_port, self.control_port = self.proxy.last['port'], self.proxy.last['control']
        self.start_relay()
        self.start_meter()

    def start_camera(self):
        width, height = pattern.parse_size(self.args.size)
        self.camera = Peer('camera', script(
            'camera.py', '--pattern', '--port', str(self.ports['camera']), '--size', self.args.size, '--fps', str(self.args.fps),
            '--other-size', f'{width // 2}x{height // 2}'), self.log).ready()

    def start_target(self):
        self.target = Peer('target', script('target.py', '--port', str(self.ports['target'])), self.log).ready()

    def start_relay(self):
        self.night = f'rtsp://127.0.0.1:{self.ports["listen"]}/night'
        self.socket = os.path.join(self.folder, 'control.sock')
        self.relay = Peer('relay', [
            self.args.solstice, 'relay', f'rtsp://127.0.0.1:{self.proxy_port}/camera',
            f'rtsp://127.0.0.1:{self.ports["target"]}/record', os.path.join(self.folder, 'night.ts'), '--segment', '30s',
            '--keep', '2min', '--listen', self.night, '--json', '--status-interval', '1s', '--control', self.socket,
            *self.args.relay], self.log, self.said)

    def said(self, line):
        if line.get('event') == 'status':
            self.status = dict(line, at=time.monotonic())

    def start_meter(self):
        # Before the first picture DESCRIBE answers 503, as it should, and the reader would leave.
        end = time.monotonic() + 60
        while not self.status.get('frames_out') and time.monotonic() < end and self.relay.alive:
            time.sleep(0.1)
        self.meter = Peer('reader', script('pattern.py', 'read', self.night, '--with', 'gst', '--every', '1'), self.log, self.lap)

    def lap(self, line):
        if not line.get('end'):
            self.laps.append(dict(line, at=time.monotonic()))

    def command(self, words):
        try:
            proxy_answer(self.control_port, words)
        except OSError as error:
            raise SystemExit(f'the proxy is gone: {error}')

    def is_well(self, after):
        """Fresh pictures reach the reader, the relay says so, and the target gets some."""
        lap = self.laps[-1] if self.laps else {}
        return (lap.get('at', 0) > after + 1 and lap.get('p50') is not None and lap['p50'] < 2000
                and lap.get('frames', 0) > lap.get('repeated', 0) and self.status.get('at', 0) > after
                and self.status.get('source') == 'playing' and self.target.last.get('frames', 0) > 0)

    def recover(self, after, limit=RECOVERY_LIMIT):
        """Seconds until all is well again; None where that takes too long."""
        while time.monotonic() < after + limit:
            if not self.relay.alive:
                return None
            if self.is_well(after):
                return time.monotonic() - after
            time.sleep(0.05)
        return None

    def usage(self):
        base = f'/proc/{self.relay.process.pid}'
        with open(base + '/status') as file:
            values = dict(line.split(':', 1) for line in file)
        with open(base + '/stat') as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return {
            'rss': int(values['VmRSS'].split()[0]) / 1024, 'threads': int(values['Threads']),
            'fds': len(os.listdir(base + '/fd')), 'cpu': (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')}

    def close(self):
        for peer in [self.meter, self.camera, self.target, self.proxy, self.relay] + self.passing:
            if peer is not None:
                peer.kill()


def proxy_answer(port, words):
    with socket.create_connection(('127.0.0.1', port), timeout=5) as connected:
        connected.sendall(words.encode() + b'\n')
        return json.loads(connected.makefile().readline())


def inflict(bench, fault):
    """Does the damage, and returns when it is over: from then on the relay has to recover."""
    if fault == 'camera killed':
        bench.camera.kill()
        time.sleep(bench.random.uniform(0, 2))
        bench.start_camera()
    elif fault in ('camera stalled', 'camera paused'):
        bench.camera.signal(signal.SIGSTOP)
        time.sleep(bench.random.uniform(6, 8) if fault == 'camera stalled' else bench.random.uniform(0.5, 2))
        bench.camera.signal(signal.SIGCONT)
    elif fault == 'camera resized':
        bench.camera.signal(signal.SIGUSR1)
    elif fault == 'connection cut':
        bench.command('cut')
    elif fault == 'network stalled':
        bench.command('stall')
        time.sleep(bench.random.uniform(6, 8))
        bench.command('go')
    elif fault == 'slow reader':
        # It reads a little, and then nothing, for longer than any buffer of a socket lasts.
        reader = Peer('slow reader', script('pattern.py', 'read', bench.night, '--with', 'gst', '--every', '1'), bench.log)
        bench.passing.append(reader)
        time.sleep(3)
        reader.signal(signal.SIGSTOP)
        time.sleep(8)
        reader.kill()
        bench.passing.remove(reader)
    elif fault == 'reader over UDP':
        reader = Peer('reader over UDP', script(
            'pattern.py', 'read', bench.night, '--with', 'gst', '--transport', 'udp', '--every', '1', '--seconds', '4'), bench.log)
        bench.passing.append(reader)
        reader.process.wait()
        bench.passing.remove(reader)
    elif fault == 'target killed':
        bench.target.kill()
        time.sleep(bench.random.uniform(0, 2))
        bench.start_target()
    elif fault == 'style changed':
        told = subprocess.run(
            [bench.args.solstice, 'control', 'strength', bench.socket, str(bench.random.choice([0.7, 1.0])), '--fade', '1s'],
            stdout=subprocess.DEVNULL, stderr=bench.log, timeout=30, check=False)
        if told.returncode != 0:
            raise SystemExit('the control socket takes no commands')
    return time.monotonic()


class Findings:
    """Samples of quiet moments, recoveries, and what is wrong."""

    def __init__(self):
        self.samples, self.recoveries, self.problems, self.faults = [], {}, [], 0

    def trend(self, name, unit, allowed):
        """A table row. Wrong is a slope above three standard errors that grew by more than `allowed` over the run."""
        points = [(s['minute'], s[name]) for s in self.samples if s.get(name) is not None]
        if len(points) < 4:
            return f'{name:<12} too few samples'
        b, error = pattern.slope(points)
        quarter = max(1, len(points) // 4)
        first, last = (statistics.median(p[1] for p in part) for part in (points[:quarter], points[-quarter:]))
        span = points[-1][0] - points[0][0]
        if b > 3 * error and b * span > allowed and last - first > allowed:
            self.problems.append(f'{name} grows: {b:.3f} {unit} a minute (standard error {error:.3f}), {first:.1f} to {last:.1f}')
        return (f'{name:<12} {first:10.1f} {last:10.1f} {max(p[1] for p in points):10.1f} {b:+12.4f} {error:12.4f}  {unit}')


def latency_since(bench, start):
    ages = [lap['p50'] for lap in bench.laps if lap['at'] > start and lap['p50'] is not None]
    return statistics.median(ages) if ages else None


def soak(bench, findings, args):
    began = time.monotonic()
    if bench.recover(began, 60) is None:
        findings.problems.append('the relay does not start')
        return
    time.sleep(args.every)
    choices, weights = list(FAULTS), list(FAULTS.values())
    quiet = time.monotonic() - args.every
    while time.monotonic() < began + args.minutes * 60:
        if not bench.relay.alive or not bench.meter.alive:
            findings.problems.append('the relay died' if not bench.relay.alive else 'the reader lost its connection')
            return
        sample = bench.usage()
        sample.update(minute=(time.monotonic() - began) / 60, latency=latency_since(bench, quiet + 1))
        findings.samples.append(sample)
        fault = bench.random.choices(choices, weights)[0]
        if args.verbose:
            print(f'{sample["minute"]:7.2f} min  {sample}  next: {fault}', flush=True)
        over = inflict(bench, fault)
        took = bench.recover(over)
        findings.faults += 1
        if took is None:
            findings.problems.append(f'no recovery within {RECOVERY_LIMIT:.0f} s after: {fault}')
            return
        findings.recoveries.setdefault(fault, []).append(took)
        quiet = time.monotonic()
        time.sleep(args.every)


def ending(bench, findings):
    """Descriptors and threads where they were, a reader that never reconnected, an end in order, files that are whole."""
    if bench.relay.alive and findings.samples:
        time.sleep(3)
        end, start = bench.usage(), findings.samples[0]
        for name, slack in (('fds', 2), ('threads', 2)):
            if end[name] > start[name] + slack:
                findings.problems.append(f'{name}: {start[name]} at the start, {end[name]} at the end')
    began = time.monotonic()
    bench.relay.signal(signal.SIGTERM)
    try:
        code = bench.relay.process.wait(timeout=15)
        if code != 0:
            findings.problems.append(f'the relay ended with {code}')
        if time.monotonic() - began > 6:
            findings.problems.append(f'the relay took {time.monotonic() - began:.1f} s to end')
    except subprocess.TimeoutExpired:
        findings.problems.append('the relay does not end')
    files = sorted(glob.glob(os.path.join(bench.folder, 'night*.ts')))
    if not files:
        findings.problems.append('no file was written')
    for path in files:
        read = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if read.returncode != 0 or not read.stdout.startswith('h264'):
            findings.problems.append(f'{os.path.basename(path)}: {read.stdout.strip() or "not playable"}')
    left = [name for name in os.listdir(bench.folder) if name.startswith('.')]
    if left:
        findings.problems.append(f'left behind: {", ".join(left)}')
    return len(files)


def table(bench, findings, files, args):
    spent = findings.samples[-1]['minute'] - findings.samples[0]['minute'] if len(findings.samples) > 1 else 0
    print(f'{args.minutes:g} minutes, {findings.faults} faults, seed {args.seed}, {files} files, '
          f'{bench.status.get("reconnects", "?")} reconnects by the relay\'s own count')
    print(f'{"fault":<18} {"times":>6} {"recovered in s: median":>24} {"longest":>9}')
    for fault, times in sorted(findings.recoveries.items()):
        print(f'{fault:<18} {len(times):>6} {statistics.median(times):>24.2f} {max(times):>9.2f}')
    print(f'{"":<12} {"first":>10} {"last":>10} {"highest":>10} {"slope/min":>12} {"std. error":>12}')
    for row in (('rss', 'MB', 12), ('fds', '', 2), ('threads', '', 2), ('latency', 'ms', 20)):
        print(findings.trend(*row))
    if spent:
        print(f'CPU: {100 * (findings.samples[-1]["cpu"] - findings.samples[0]["cpu"]) / 60 / spent:.0f} % of a core')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--every', type=float, default=4, help='seconds of quiet before a fault')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--solstice', default=os.path.join(HERE, '../../../.build/release/solstice'))
    parser.add_argument('--size', default='640x360')
    parser.add_argument('--fps', type=int, default=25)
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('--keep-files', action='store_true')
    parser.add_argument('--relay', nargs=argparse.REMAINDER, default=[])
    args = parser.parse_args()

    folder = tempfile.mkdtemp(prefix='solstice-soak-')
    findings, bench, files = Findings(), None, 0
    try:
        bench = Bench(args, folder)
        soak(bench, findings, args)
        files = ending(bench, findings)
        table(bench, findings, files, args)
    finally:
        if bench is not None:
            bench.close()
    for problem in findings.problems:
        print(f'WRONG: {problem}')
    if args.keep_files or findings.problems:
        print(f'files and errors.log: {folder}')
    else:
        shutil.rmtree(folder)
    print('passed' if not findings.problems else 'failed')
    # The collecting threads hold pipes of programs that are gone.
    sys.stdout.flush()
    os._exit(1 if findings.problems else 0)


if __name__ == '__main__':
    main()
