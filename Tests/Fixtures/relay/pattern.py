#!/usr/bin/python3
"""Draws and reads the strip of strip.py.

  pattern.py draw --size 640x360 --fps 25 [--seconds 10] [--realtime] [--background FILE]   raw yuv420p frames on standard output
  pattern.py read ADDRESS [--transport tcp|udp] [--with ffmpeg|gst] [--seconds 10] [--every 1] [--frames]
      decodes what ADDRESS sends; one JSON line every N seconds (with --frames one a frame), and at the end one of the whole:
      frames, how many of them could not be read, latency p50/p95/max in ms, its slope in ms a minute with the standard error,
      the longest time without a picture in seconds, and frames that were skipped or came back.

The reader gives ffmpeg and GStreamer their low-latency options, so that what is measured is the way of the frame. Needs ffmpeg;
`--with gst` needs python3-gi and GStreamer's good plug-ins.
"""
import argparse, json, math, os, signal, subprocess, sys, threading, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import strip

# A street by day, as the models know it: on test charts the translation itself paints over the strip.
ROAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../samples/highway-day.mp4')


def parse_size(text):
    width, _, height = text.partition('x')
    return int(width), int(height)


def backgrounds(width, height, source=None, count=25):
    """A second of pictures to draw on, as yuv420p."""
    where = ['-i', source or ROAD]
    raw = subprocess.run(
        ['ffmpeg', '-v', 'error', '-nostdin'] + where + [
            '-vf', f'scale={width}:{height}', '-frames:v', str(count), '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-'],
        stdout=subprocess.PIPE, check=True).stdout
    size = width * height * 3 // 2
    return [raw[i:i + size] for i in range(0, len(raw), size)]


class Frames:
    """Numbered frames with the time of drawing in them."""

    def __init__(self, width, height, background=None):
        self.painter = strip.Painter(width, height)
        self.pictures = backgrounds(width, height, background)
        self.number = 0

    def next(self):
        # Back and forth, so that the pictures never jump.
        last = len(self.pictures) - 1
        at = self.number % (2 * last) if last else 0
        picture = bytearray(self.pictures[at if at <= last else 2 * last - at])
        self.painter.paint(picture, self.number, strip.clock_ms())
        self.number += 1
        return bytes(picture)


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else None


def slope(points):
    """Least squares through (x, y): the slope and its standard error; (0, inf) below three points."""
    n = len(points)
    if n < 3:
        return 0.0, math.inf
    mx, my = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
    sxx = sum((p[0] - mx) ** 2 for p in points)
    if sxx == 0:
        return 0.0, math.inf
    b = sum((x - mx) * (y - my) for x, y in points) / sxx
    rest = sum((y - my - b * (x - mx)) ** 2 for x, y in points)
    return b, math.sqrt(rest / (n - 2) / sxx)


class Meter:
    """What a reader saw. `seen` may be called from any one thread."""

    def __init__(self):
        self.start = time.monotonic()
        self.total = Window()
        self.window = Window()
        self.points = []

    def seen(self, decoded):
        now = time.monotonic()
        age = strip.age_ms(decoded[1]) if decoded else None
        if decoded and decoded[0] == self.total.last_number:
            # A held picture grows old without anything being late.
            age = None
        for window in (self.total, self.window):
            window.add(now, decoded, age)
        if age is not None:
            self.points.append(((now - self.start) / 60, age))
        return age

    def report(self, window):
        result = window.summary()
        result['elapsed'] = round(time.monotonic() - self.start, 3)
        return result

    def lap(self):
        # The next window remembers the last frame, or its first gap would be lost.
        done, self.window = self.window, Window(self.window)
        return self.report(done)

    def end(self):
        result = self.report(self.total)
        b, error = slope(self.points)
        result.update(slope_ms_per_min=round(b, 2), slope_error=round(error, 2) if math.isfinite(error) else None, end=True)
        return result


class Window:
    def __init__(self, previous=None):
        self.frames = self.unreadable = self.skipped = self.backward = self.repeated = 0
        self.ages, self.longest = [], 0.0
        self.last_time = previous.last_time if previous else None
        self.last_number = previous.last_number if previous else None

    def add(self, now, decoded, age):
        self.frames += 1
        if self.last_time is not None:
            self.longest = max(self.longest, now - self.last_time)
        self.last_time = now
        if decoded is None:
            self.unreadable += 1
            return
        number = decoded[0]
        if self.last_number is not None:
            step = number - self.last_number
            self.skipped += max(0, step - 1)
            self.backward += step < 0
            self.repeated += step == 0
        self.last_number = number
        if age is not None:
            self.ages.append(age)

    def summary(self):
        return {
            'frames': self.frames, 'unreadable': self.unreadable, 'skipped': self.skipped, 'backward': self.backward,
            'repeated': self.repeated, 'number': self.last_number, 'p50': quantile(self.ages, 0.5),
            'p95': quantile(self.ages, 0.95), 'max': max(self.ages) if self.ages else None, 'longest_gap': round(self.longest, 3)}


def read_with_ffmpeg(address, transport, seen, stopped):
    """Calls `seen` with every frame's strip (or None) and the monotonic reading order; returns ffmpeg's exit code."""
    options = []
    if address.startswith('rtsp'):
        options = ['-rtsp_transport', transport, '-allowed_media_types', 'video']
    live = '://' in address
    if live:
        options += ['-fflags', 'nobuffer', '-flags', 'low_delay', '-probesize', '200000', '-analyzeduration', '300000']
    size = 4
    width, height = strip.COLUMNS * size, strip.ROWS * size
    process = subprocess.Popen(
        ['ffmpeg', '-v', 'error', '-nostdin', '-threads', '1'] + options + [
            '-i', address, '-map', '0:v:0', '-fps_mode', 'passthrough', '-vf',
            f'crop=iw:{strip.ROWS}*trunc(iw/{strip.COLUMNS}):0:0:exact=1,scale={width}:{height}:flags=area,format=gray',
            '-f', 'rawvideo', '-flush_packets', '1', '-'],
        stdout=subprocess.PIPE)
    stopped.append(lambda: process.terminate())
    while True:
        raw = process.stdout.read(width * height)
        if len(raw) < width * height:
            break
        seen(strip.read(strip.cells_of_thumbnail(raw, size)))
    process.stdout.close()
    return process.wait()


def read_with_gst(address, transport, seen, stopped):
    import gi
    gi.require_version('Gst', '1.0')
    from gi.repository import Gst, GLib
    Gst.init(None)
    pipeline = Gst.parse_launch(
        f'rtspsrc name=source location={address} latency=0 protocols={transport} ! decodebin ! videoconvert ! videoscale '
        '! video/x-raw,format=GRAY8 ! appsink name=out emit-signals=true sync=false max-buffers=4 drop=true')
    loop, code = GLib.MainLoop(), [0]

    def sample(sink):
        got = sink.emit('pull-sample')
        shape = got.get_caps().get_structure(0)
        width, height = shape.get_value('width'), shape.get_value('height')
        ok, view = got.get_buffer().map(Gst.MapFlags.READ)
        if ok:
            stride = (width + 3) // 4 * 4
            seen(strip.read(cells_of_picture(view.data, width, stride)))
            got.get_buffer().unmap(view)
        return Gst.FlowReturn.OK

    def message(_, message):
        if message.type == Gst.MessageType.ERROR:
            print(message.parse_error()[0].message, file=sys.stderr)
            code[0] = 1
            loop.quit()
        elif message.type == Gst.MessageType.EOS:
            loop.quit()

    def added(_, __, element):
        # A thread for each of several frames costs a frame of latency each.
        if element.get_name().startswith('avdec') and element.find_property('max-threads'):
            element.set_property('max-threads', 1)

    pipeline.connect('deep-element-added', added)
    # Sound would be waited for, to keep it in time with the picture.
    pipeline.get_by_name('source').connect(
        'select-stream', lambda _, __, caps: caps.get_structure(0).get_value('media') == 'video')
    pipeline.get_by_name('out').connect('new-sample', sample)
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect('message', message)
    stopped.append(lambda: loop.quit())
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)
    return code[0]


def cells_of_picture(data, width, stride):
    """Brightness of the cells in a whole grey picture: the mean over the middle of each."""
    block = strip.crop(width) // strip.ROWS
    cells = []
    for row in range(strip.ROWS):
        for column in range(strip.COLUMNS):
            left, right = column * width // strip.COLUMNS, (column + 1) * width // strip.COLUMNS
            margin = max(1, (right - left) // 4)
            rows = range(row * block + block // 4, row * block + block - block // 4)
            values = [sum(data[y * stride + left + margin:y * stride + right - margin]) for y in rows]
            cells.append(sum(values) / len(values) / max(1, right - left - 2 * margin))
    return cells


def draw(args):
    width, height = parse_size(args.size)
    frames = Frames(width, height, args.background)
    start, count = time.monotonic(), 0
    while args.seconds is None or count < args.seconds * args.fps:
        if args.realtime:
            time.sleep(max(0, start + count / args.fps - time.monotonic()))
        try:
            sys.stdout.buffer.write(frames.next())
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os._exit(0)
        count += 1


def read(args):
    meter, stopped = Meter(), []
    lock = threading.Lock()

    def seen(decoded):
        with lock:
            age = meter.seen(decoded)
        if args.frames:
            print(json.dumps({'frame': decoded[0] if decoded else None, 'age': age}), flush=True)

    def stop(*_):
        for each in stopped:
            each()

    def laps():
        while True:
            time.sleep(args.every)
            with lock:
                line = meter.lap()
            print(json.dumps(line), flush=True)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if args.every:
        threading.Thread(target=laps, daemon=True).start()
    if args.seconds:
        timer = threading.Timer(args.seconds, stop)
        timer.daemon = True
        timer.start()
    reader = read_with_gst if args.reader == 'gst' else read_with_ffmpeg
    reader(args.address, args.transport, seen, stopped)
    with lock:
        end = meter.end()
    print(json.dumps(end), flush=True)
    # Threads of the laps may still hold the output's lock at the interpreter's end.
    os._exit(0 if end['frames'] else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    d = commands.add_parser('draw')
    d.add_argument('--size', default='640x360')
    d.add_argument('--fps', type=float, default=25)
    d.add_argument('--seconds', type=float)
    d.add_argument('--realtime', action='store_true')
    d.add_argument('--background')
    r = commands.add_parser('read')
    r.add_argument('address')
    r.add_argument('--transport', choices=['tcp', 'udp'], default='tcp')
    r.add_argument('--with', dest='reader', choices=['ffmpeg', 'gst'], default='ffmpeg')
    r.add_argument('--seconds', type=float)
    r.add_argument('--every', type=float)
    r.add_argument('--frames', action='store_true')
    args = parser.parse_args()
    draw(args) if args.command == 'draw' else read(args)


if __name__ == '__main__':
    main()
