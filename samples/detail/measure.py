"""Makes the tables and crops of samples/detail/README.md from the compiled kernels in Sources/CKernels.

Needs: Python with numpy, pillow and torch; a C compiler (CC, default clang); the ffmpeg program.
The network is run by a PyTorch implementation with the interface of tsit_reference.py (load, Frozen), which lies
outside this repository, as do the checkpoints, the style pictures and the clips; each is named by an argument.

  measure.py --reference tsit_reference.py --models DIR --styles DIR --videos DIR [--cache DIR] [--frames 12] [--picture]
"""
import argparse, ctypes, glob, importlib.util, os, subprocess, sys, tempfile, time
import numpy as np
from PIL import Image, ImageDraw

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = os.path.join(HERE, '..', '..', 'Sources', 'CKernels')
WIDTH, HEIGHT = 512, 256
CLIPS = {'solidWhiteRight': 60, 'test_small1': 40, 'test_video': 10}      # first frame of those measured
MODELS = {'night': 'night/unitrev_128.jpg', 'winter': 'winter/road_0794.jpg'}
LUMA = np.array([.299, .587, .114], np.float32)


# --- pictures: float32 [3][height][width] in -1...1

def cubic(x):
    x = np.abs(x)
    return np.where(x <= 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-.5 * x + 2.5) * x - 4) * x + 2, 0))


def matrix(n, m, kind):
    a = np.zeros((m, n))
    for i in range(m):
        if kind == 'area':
            left, right = i * n / m, (i + 1) * n / m
            for j in range(int(left), min(n, int(np.ceil(right)))):
                a[i, j] = max(0, min(right, j + 1) - max(left, j))
        else:
            centre = (i + .5) * n / m - .5
            reach, kernel = (2, cubic) if kind == 'cubic' else (1, lambda x: max(0, 1 - abs(x)))
            for j in range(int(np.floor(centre)) - reach + 1, int(np.floor(centre)) + reach + 1):
                a[i, min(max(j, 0), n - 1)] += kernel(j - centre)
    return (a / a.sum(1, keepdims=True)).astype(np.float32)


MATRICES = {}


def resize(x, height, width, kind):
    for key in ((x.shape[-2], height, kind), (x.shape[-1], width, kind)):
        if key not in MATRICES:
            MATRICES[key] = matrix(*key)
    return MATRICES[x.shape[-2], height, kind] @ x @ MATRICES[x.shape[-1], width, kind].T


def luma(x):
    return np.tensordot(LUMA, x, 1)[None]


def mean(x, radius):
    """Window mean, border windows over what lies inside."""
    def sums(v, axis):
        c = np.cumsum(np.moveaxis(v, axis, -1).astype(np.float64), -1)
        n = c.shape[-1]
        hi = np.minimum(np.arange(n) + radius, n - 1)
        lo = np.arange(n) - radius - 1
        out = c[..., hi] - np.where(lo >= 0, c[..., np.maximum(lo, 0)], 0)
        return np.moveaxis(out, -1, axis)
    count = sums(sums(np.ones(x.shape[-2:]), 0), 1)
    return (sums(sums(x, -1), -2) / count).astype(np.float32)


def quantise(x):
    return np.rint((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8)


def floats(x):
    return x.astype(np.float32) / 127.5 - 1


# --- the methods compared; each gives 8-bit planes

def regression(guide, output, radius, epsilon):
    g, p = mean(guide, radius), mean(output, radius)
    a = (mean(guide * output, radius) - g * p) / (mean(guide * guide, radius) - g * g + epsilon)
    return mean(a, radius), mean(p - a * g, radius)


def plain_guided(epsilon):
    """He & Sun 2015, luma guide; epsilon is for samples in 0...1, as in the paper."""
    def run(source, low, output):
        s = floats(source)
        a, b = regression(luma(low), output, 4, 4 * epsilon)
        return quantise(resize(a, *s.shape[1:], 'linear') * luma(s) + resize(b, *s.shape[1:], 'linear'))
    return run


def high_frequencies(source, low, output):
    s = floats(source)
    size = s.shape[1:]
    a, _ = regression(luma(low), output, 4, 4e-3)
    detail = luma(s) - resize(luma(low), *size, 'cubic')
    return quantise(resize(output, *size, 'cubic') + resize(a, *size, 'linear') * detail)


class Tuning(ctypes.Structure):
    _fields_ = [('radius', ctypes.c_int)] + [(n, ctypes.c_float) for n in (
        'epsilon', 'rough', 'all', 'allowance', 'remainder', 'gain', 'threshold', 'headroom', 'floor')]


# DetailTuning.standard in Sources/Imaging/Detail/DetailTransfer.swift
STANDARD = dict(radius=4, epsilon=4e-3, rough=1, all=.1, allowance=1.2, remainder=.3, gain=1.5, threshold=.03,
                headroom=.1, floor=.02)


class Frame(ctypes.Structure):
    P = ctypes.c_void_p * 3
    _fields_ = [('source', P), ('source_stride', ctypes.c_ssize_t), ('result', P), ('result_stride', ctypes.c_ssize_t),
                ('bits', ctypes.c_int), ('input', P), ('input_stride', ctypes.c_ssize_t), ('output', P),
                ('output_stride', ctypes.c_ssize_t), ('strength', ctypes.c_float)]


def compile_kernels():
    path = os.path.join(tempfile.mkdtemp(), 'detail.so')
    subprocess.check_call([os.environ.get('CC', 'clang'), '-O2', '-shared', '-fPIC', '-o', path, '-lm',
                           *sorted(glob.glob(os.path.join(KERNELS, 'detail*.c')))])
    library = ctypes.CDLL(path)
    for name in ('detail_kernels_best', 'detail_plan_create'):
        getattr(library, name).restype = ctypes.c_void_p
    library.detail_plan_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    library.detail_plan_stages.argtypes = [ctypes.c_void_p]
    return library


class Compiled:
    """The C implementation on one thread; remembers what each call took."""

    def __init__(self, library, guided):
        self.library, self.guided, self.plans, self.times = library, guided, {}, {}

    def __call__(self, source, low, output):
        height, width = source.shape[1:]
        if (width, height) not in self.plans:
            best = ctypes.c_void_p(self.library.detail_kernels_best())
            self.plans[width, height] = ctypes.c_void_p(self.library.detail_plan_create(
                width, height, WIDTH, HEIGHT, 1, self.guided, ctypes.byref(Tuning(**STANDARD)), best))
        plan, result, frame = self.plans[width, height], np.empty_like(source), Frame()
        for c in range(3):
            for field, array in (('source', source), ('result', result), ('input', low), ('output', output)):
                getattr(frame, field)[c] = array.ctypes.data + c * array.strides[0]
        frame.source_stride = frame.result_stride = width
        frame.input_stride = frame.output_stride = WIDTH
        frame.bits, frame.strength = 8, 1
        for _ in range(3):
            start = time.perf_counter()
            for stage in range(self.library.detail_plan_stages(plan)):
                self.library.detail_plan_run(plan, ctypes.byref(frame), stage, 0)
            self.times.setdefault((width, height), []).append((time.perf_counter() - start) * 1e3)
        return result


# --- the figures

def gradients(x):
    y = luma(floats(x))[0]
    return (y[1:-1, 2:] - y[1:-1, :-2]) / 2, (y[2:, 1:-1] - y[:-2, 1:-1]) / 2


def magnitude_correlation(a, b):
    return float(np.corrcoef(*(np.hypot(*gradients(x)).ravel() for x in (a, b)))[0, 1])


def vector_correlation(a, b):
    return float(np.corrcoef(*(np.concatenate([g.ravel() for g in gradients(x)]) for x in (a, b)))[0, 1])


def psnr(result, output):
    error = resize(floats(result), HEIGHT, WIDTH, 'area') - output
    return float(-10 * np.log10((error.astype(np.float64) ** 2).mean() / 4))


def still(a, b):
    return mean(np.abs(floats(a) - floats(b)).max(0, keepdims=True), 3)[0] < 4 / 127.5


def flicker(results, sources):
    squares = []
    for k in range(len(results) - 1):
        change = (floats(results[k + 1]) - floats(results[k]))[:, still(sources[k], sources[k + 1])]
        squares.append((change.astype(np.float64) ** 2).mean())
    return float(np.sqrt(np.mean(squares)) * 127.5)


# --- frames and the network

def frames(path, first, count):
    folder = tempfile.mkdtemp()
    subprocess.check_call(['ffmpeg', '-v', 'error', '-i', path, '-vf', f"select='between(n,{first},{first + count - 1})'",
                           '-vsync', '0', os.path.join(folder, '%03d.png')])
    return [Image.open(p).convert('RGB') for p in sorted(glob.glob(os.path.join(folder, '*.png')))]


def network(args, model):
    import torch
    spec = importlib.util.spec_from_file_location('reference', args.reference)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    tensor = lambda image: torch.from_numpy(low_picture(image))[None]
    generator = reference.load(os.path.join(args.models, model + '.pth'), WIDTH, HEIGHT)
    torch.manual_seed(0)
    z = torch.randn(1, 3, HEIGHT // 128, WIDTH // 128)
    frozen = reference.Frozen(generator, tensor(Image.open(os.path.join(args.styles, MODELS[model])).convert('RGB')), z).eval()

    def run(image):
        with torch.no_grad():
            return frozen(tensor(image))[0].numpy()
    return run


def low_picture(image):
    small = np.asarray(image.resize((WIDTH, HEIGHT), Image.BICUBIC))
    return np.ascontiguousarray(floats(small).transpose(2, 0, 1))


def triples(args, model, clip):
    """(source, network input, network output) of each frame; kept in --cache."""
    pictures = frames(os.path.join(args.videos, clip + '.mp4'), CLIPS[clip], args.frames)
    path = os.path.join(args.cache or tempfile.mkdtemp(), f'{model}-{clip}-{args.frames}.npy')
    if os.path.exists(path):
        outputs = np.load(path)
    else:
        run = network(args, model)
        outputs = np.stack([run(p) for p in pictures])
        np.save(path, outputs)
    planes = [np.ascontiguousarray(np.asarray(p).transpose(2, 0, 1)) for p in pictures]
    return [(s, low_picture(p), np.ascontiguousarray(o)) for s, p, o in zip(planes, pictures, outputs)]


# --- crops: name, model, clip, frame, boxes (left, top) of 220 x 110

CROPS = [('highway', 'night', 'solidWhiteRight', 5, [(60, 270), (640, 340), (700, 150)]),
         ('bridge', 'night', 'test_small1', 5, [(150, 380), (860, 380), (250, 350)]),
         ('cars', 'night', 'test_video', 5, [(270, 560), (780, 400), (1000, 400)]),
         ('winter', 'winter', 'test_video', 5, [(270, 560), (780, 400), (1000, 400)])]


def crop_sheet(name, boxes, pictures):
    rows = []
    for label, planes in pictures.items():
        cells = []
        for x, y in boxes:
            cell = Image.fromarray(planes[:, y:y + 110, x:x + 220].transpose(1, 2, 0)).resize((440, 220), Image.NEAREST)
            cells.append(np.asarray(cell))
        row = Image.fromarray(np.hstack(cells))
        ImageDraw.Draw(row).text((6, 4), label, fill=(0, 255, 0))
        rows.append(np.asarray(row))
    Image.fromarray(np.vstack(rows)).save(os.path.join(HERE, name + '.png'), optimize=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('reference', 'models', 'styles', 'videos'):
        p.add_argument('--' + name, required=True)
    p.add_argument('--cache')
    p.add_argument('--frames', type=int, default=12)
    p.add_argument('--picture', action='store_true', help='also make samples/before-after.png')
    args = p.parse_args()
    library = compile_kernels()
    methods = {'bicubic (`--detail none`)': Compiled(library, 0), 'plain guided, eps 0.2²': plain_guided(.04),
               'plain guided, eps 0.1²': plain_guided(.01), 'plain guided, eps 0.001': plain_guided(.001),
               'bicubic + source detail x gain': high_frequencies, '**chosen (`--detail guided`)**': Compiled(library, 1)}
    shown = {'bicubic': 0, 'plain guided, eps 0.1^2': 2, 'bicubic + source detail x gain': 4, 'chosen': 5}
    for model in MODELS:
        print(f'\n| {model}: clip, method | gradient correlation | of vectors | PSNR to the network, dB | change in still regions |')
        print('|---|---|---|---|---|')
        for clip in CLIPS:
            data = triples(args, model, clip)
            sources = [s for s, _, _ in data]
            for label, method in methods.items():
                results = [method(*t) for t in data]
                average = lambda f: np.mean([f(r, t) for r, t in zip(results, data)])
                print(f'| {clip}, {label} | {average(lambda r, t: magnitude_correlation(r, t[0])):.3f} '
                      f'| {average(lambda r, t: vector_correlation(r, t[0])):.3f} '
                      f'| {average(lambda r, t: psnr(r, t[2])):.2f} | {flicker(results, sources):.2f} |', flush=True)
            for name, of, where, index, boxes in CROPS:
                if (of, where) == (model, clip):
                    chosen = list(methods.values())
                    sheet = {'source': data[index][0]}
                    sheet.update({label: chosen[k](*data[index]) for label, k in shown.items()})
                    crop_sheet(name, boxes, sheet)
            if args.picture and (model, clip) == ('night', 'solidWhiteRight'):
                s, low, output = data[5]
                both = np.concatenate([s, methods['**chosen (`--detail guided`)**'](s, low, output)], 2)
                Image.fromarray(both.transpose(1, 2, 0)).save(os.path.join(HERE, '..', 'before-after.png'), optimize=True)
    for label, method in methods.items():
        if isinstance(method, Compiled):
            for (width, height), times in method.times.items():
                print(f'{label}: {width}x{height} {min(times):.2f} ms best, {np.median(times):.2f} ms median', file=sys.stderr)


if __name__ == '__main__':
    main()
