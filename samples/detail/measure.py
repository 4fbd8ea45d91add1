"""Makes the figures and crops of samples/detail/README.md with the program itself.

  measure.py --program solstice --videos DIR [--before solstice-of-an-earlier-version] [--road twinlitenet.onnx] [--frames 38]
             [--crops DIR] [--versions]

DIR holds the clips solidWhiteRight.mp4, test_small1.mp4 and test_video.mp4. Each is cut and coded without loss first, so that
encoders have no part in the figures. `--road` is a TwinLiteNet (Che et al. 2023) in ONNX with the input `rgb`; without it the two
columns stay empty. `--versions` also measures test_video at 3840x2160 and in 10 bits. Needs numpy, opencv-python-headless,
ffmpeg, and for `--road` onnxruntime.
"""
import argparse, os, subprocess, tempfile
import cv2
import numpy as np

CLIPS = ('solidWhiteRight', 'test_small1', 'test_video')
NETWORK = (512, 256)
# Frame, left, top, width and height at 1280x720, and what is to be seen.
CROPS = {
    'lane': ('test_video', 'night', 20, 790, 490, 210, 120), 'branches': ('test_small1', 'winter', 20, 200, 180, 210, 120),
    'lamps': ('test_video', 'night', 20, 800, 395, 210, 120), 'sign': ('test_small1', 'winter', 20, 330, 350, 210, 120),
}


def run(*command): subprocess.run([str(c) for c in command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def frames(path):
    video, out = cv2.VideoCapture(path), []
    while True:
        there, frame = video.read()
        if not there: return out
        out.append(frame)


def luma(frame): return cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32)


def staircase(source, result):
    """At the strongest 3 % of the source's edges: change along the edge over change across it; result over source."""
    smooth = cv2.GaussianBlur(luma(source), (0, 0), 1)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    length = np.hypot(x, y)
    edge = length > np.percentile(length, 97)
    x, y = x[edge] / length[edge], y[edge] / length[edge]

    def share(frame):
        dx, dy = (cv2.Sobel(luma(frame), cv2.CV_32F, *d)[edge] for d in ((1, 0), (0, 1)))
        return np.abs(x * dy - y * dx).mean() / np.abs(x * dx + y * dy).mean()
    return share(result) / share(source)


def lights(network, result):
    """Brightness of the network's small lights that is left at its size, one figure each."""
    small = cv2.resize(result, NETWORK, interpolation=cv2.INTER_AREA)
    p, q = (cv2.GaussianBlur(luma(f), (0, 0), 1) for f in (network, small))
    top = (p == cv2.dilate(p, np.ones((9, 9)))) & (p - cv2.blur(p, (31, 31)) > 60)
    return list((q[top] / p[top]).clip(0, 1.2))


def flicker(before, after):
    """Mean change from frame to frame along the source's motion, over the frame's deviation; result over source."""
    width = 640
    (s0, r0), (s1, r1) = ([cv2.resize(luma(f).astype(np.uint8), (width, width * f.shape[0] // f.shape[1]), interpolation=cv2.INTER_AREA)
                           for f in pair] for pair in (before, after))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = search.calc(s0, s1, None), search.calc(s1, s0, None)
    y, x = np.mgrid[:s0.shape[0], :width].astype(np.float32)
    along = lambda f: cv2.remap(f, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = np.linalg.norm(there + along(back), axis=2) < 1
    change = lambda a, b: np.abs(a.astype(np.float32) - along(b.astype(np.float32)))[seen].mean() / a.std()
    return change(s0, s1), change(r0, r1)


def overshoot(source, result):
    """Beside the same edges, across them: how far 3 to 11 samples from the edge go beyond the mean of 13 to 20 samples, over the step."""
    smooth = cv2.GaussianBlur(luma(source), (0, 0), 1)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    length = np.hypot(dx, dy)
    y, x = np.nonzero(length > np.percentile(length, 97))
    inside = (x > 24) & (x < length.shape[1] - 24) & (y > 24) & (y < length.shape[0] - 24)
    # OpenCV samples at most 32767 rows at once.
    y, x = (v[inside][::1 + inside.sum() // 30000] for v in (y, x))
    way = np.arange(-20, 21, dtype=np.float32)
    u, v = (x[:, None] + dx[y, x, None] / length[y, x, None] * way, y[:, None] + dy[y, x, None] / length[y, x, None] * way)
    steps, beyond = [], []
    for frame in (source, result):
        along = cv2.remap(luma(frame), u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
        low, high = along[:, :8].mean(1), along[:, -8:].mean(1)
        steps.append(high - low)
        beyond.append(np.maximum(along[:, 23:32].max(1) - high, 0) + np.maximum(low - along[:, 9:18].min(1), 0))
    counts = (steps[0] > 40) & (steps[1] > 15)
    return [(b[counts] / s[counts]).mean() / 2 for s, b in zip(steps, beyond)]


class Road:
    def __init__(self, path):
        import onnxruntime
        self.net = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])

    def __call__(self, frame):
        rgb = cv2.cvtColor(cv2.resize(frame, (640, 360)), cv2.COLOR_BGR2RGB).astype(np.float32).transpose(2, 0, 1)[None] / 255
        return [m[0].argmax(0) > 0 for m in self.net.run(None, {'rgb': rgb})]


def noisy(frame): return cv2.imdecode(cv2.imencode('.jpg', (frame * 0.5).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 1)


def figures(source, result, network, road):
    stairs, kept, still, agree, beyond = [], [], [], [], []
    for k in range(0, len(source), 5):
        stairs.append(staircase(source[k], result[k]))
        kept += lights(network[k], result[k])
        beyond.append(overshoot(source[k], result[k]))
        if k + 1 < len(source): still.append(flicker((source[k], result[k]), (source[k + 1], result[k + 1])))
        if road:
            (d0, l0), (d1, l1), (d2, l2) = road(source[k]), road(result[k]), road(noisy(source[k]))
            iou = lambda a, b: (a & b).sum() / max(1, (a | b).sum())
            agree.append((iou(d0, d1), iou(l0, l1), iou(l0, l2)))
    s, r = np.mean(still, 0)
    a, b = np.mean(beyond, 0)
    d, l, n = np.mean(agree, 0) if agree else (np.nan,) * 3
    return f'{r / s:.2f} | {d:.2f} | {l:.2f} ({l / n:.2f}) | {np.mean(stairs):.2f} | {b:.2f} ({a:.2f}) | {np.mean(kept):.2f}'


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('program', 'videos', 'before', 'road', 'crops'): p.add_argument('--' + name)
    p.add_argument('--frames', type=int, default=38)
    p.add_argument('--versions', action='store_true')
    a = p.parse_args()
    road = Road(a.road) if a.road else None
    work = tempfile.mkdtemp()
    versions = [(clip, clip, []) for clip in CLIPS]
    if a.versions:
        versions += [('test_video 4K', 'test_video', ['-vf', 'scale=3840:2160:flags=lanczos']), ('test_video 10 bit', 'test_video', ['-pix_fmt', 'yuv420p10le'])]
    ways = ([('before', a.before, [])] if a.before else []) + [
        ('bicubic', a.program, ['--detail', 'none']), ('without --stabilize', a.program, ['--no-stabilize']),
        ('without lights', a.program, ['--detail-residual', '0']), ('now', a.program, [])]
    print('| clip, method | flicker | road IoU | lane IoU (of noise floor) | staircase | overshoot (source) | lights kept |\n|---|---|---|---|---|---|---|')
    shown = {}
    for name, clip, options in versions:
        full, low = (f'{work}/{name}.{k}.mkv'.replace(' ', '_') for k in ('full', 'low'))
        count = a.frames if name == clip else min(a.frames, 16)
        run('ffmpeg', '-v', 'error', '-y', '-i', f'{a.videos}/{clip}.mp4', '-frames:v', count, '-an', *options, '-c:v', 'ffv1', full)
        run('ffmpeg', '-v', 'error', '-y', '-i', full, '-vf', f'scale={NETWORK[0]}:{NETWORK[1]}:flags=bicubic,format=gbrp', '-c:v', 'ffv1', low)
        for model in ('night', 'winter'):
            net = f'{work}/net.mkv'
            run(a.program, 'convert', low, net, '--to', model, '--detail', 'none', '--encoder', 'ffv1', '--overwrite', '--quiet')
            source, network = frames(full), frames(net)
            for way, program, extra in ways if name == clip else ways[-1:]:
                result = f'{work}/result.mkv'
                run(program, 'convert', full, result, '--to', model, '--encoder', 'ffv1', '--overwrite', '--quiet', *extra)
                made = frames(result)
                print(f'| {name}, {model}, {way} | {figures(source, made, network, road)} |', flush=True)
                if name == clip: shown[clip, model, way] = [source[min(20, count - 1)], made[min(20, count - 1)]]
    if a.crops:
        for name, (clip, model, _, left, top, width, height) in CROPS.items():
            tiles = [shown[clip, model, 'now'][0]] + [shown[clip, model, way][1] for way, _, _ in ways if way in ('before', 'bicubic', 'now')]
            tiles = [cv2.resize(t[top:top + height, left:left + width], None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST) for t in tiles]
            cv2.imwrite(os.path.join(a.crops, name + '.png'), np.vstack([np.hstack(tiles[i:i + 2]) for i in range(0, len(tiles), 2)]))


main()
