"""Makes what the network is checked against, from a PyTorch implementation of TSIT given by path.

Needs: python3 -m venv ENV && ENV/bin/pip install torch numpy

  make_network_goldens.py fixtures  --reference PATH/tsit_reference.py [--out Tests/TSITTests/Fixtures]
      the small goldens of the tests: ngf 2 with all intermediate maps, statistics of the frame, alpha 0.5
  make_network_goldens.py selfcheck --reference PATH/tsit_reference.py [--out Sources/TSIT/Resources/SelfCheck]
      the output that `solstice doctor` compares with: weights and inputs are computed here as the program computes them
  make_network_goldens.py large     --reference PATH/tsit_reference.py --solstice PATH [--models A.pth B.pth] [--scratch DIR]
      makes checkpoints of ngf 2, 4, 8, 16 and goldens of 256x256, 512x256, 1024x512, imports each with `solstice model
      import`, checks each with `solstice model check`, prints a table and exits 1 beyond the bounds. Given models are
      imported with `--store half` and compared with the reference on weights that were rounded the same way.

The reference must offer build(), load(), inputs(), run(), STAGES and Generator as the specification's reference does.
"""
import argparse, importlib.util, os, subprocess, sys, tempfile
import numpy as np
import torch
from torch import nn
from torch.nn.utils import remove_spectral_norm

SIZES = [(256, 256), (512, 256), (1024, 512)]


def load_reference(path):
    spec = importlib.util.spec_from_file_location('tsit_reference', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fold(generator):
    """Replaces every spectrally normalised weight by its effective one, in place."""
    for m in generator.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            try:
                remove_spectral_norm(m)
            except ValueError:
                pass
    return generator


def frame_statistics(generator):
    for m in generator.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.train()
            m.momentum = 0.0


def write_golden(ref, g, folder, width, height, seed, alpha=1.0, intermediates=True):
    os.makedirs(folder, exist_ok=True)
    content, style, z = ref.inputs(g, height, width, seed)
    trace = {} if intermediates else None
    with torch.no_grad():
        output = ref.run(g, content, style, z, alpha, trace)
    for name, t in dict(content=content, style=style, z=z, output=output, **(trace or {})).items():
        np.save(os.path.join(folder, name + '.npy'), t.numpy())


def fixtures(ref, out):
    os.makedirs(out, exist_ok=True)
    g = ref.build('ast', 2, 256, 256, 0)
    torch.save(g.state_dict(), os.path.join(out, 'ngf2.pth'))
    small = os.path.join(out, 'golden-256x128')
    write_golden(ref, g, small, 256, 128, 1)
    write_golden(ref, g, os.path.join(out, 'golden-256x256'), 256, 256, 2)
    # The same inputs with another alpha, then with the statistics of the frame.
    content, style, z = ref.inputs(g, 128, 256, 1)
    with torch.no_grad():
        np.save(os.path.join(small, 'output_alpha.npy'), ref.run(g, content, style, z, 0.5).numpy())
        frame_statistics(g)
        np.save(os.path.join(small, 'output_frame.npy'), ref.run(g, content, style, z).numpy())


# --- the self-check: SplitMix64 streams and integer patterns, as in RandomWeights.swift and SelfCheck.swift

def splitmix(state, count):
    with np.errstate(over='ignore'):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        return z ^ (z >> np.uint64(31))


def random_tensor(key, shape, seed):
    state = 0xcbf29ce484222325
    for byte in key.encode():
        state = (state ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    count = int(np.prod(shape))
    unit = (splitmix(state ^ seed, count) >> np.uint64(40)).astype(np.float32) * np.float32(2.0 ** -23) - np.float32(1)
    scale = np.float32(0.1)
    if len(shape) > 1:
        fan_in = np.float32(np.prod(shape[1:]))
        scale = np.sqrt(np.float32(6) / fan_in) * np.float32(0.3 if 'mlp_' in key or key.startswith('conv_img') else 1)
    value = np.float32(1) + np.float32(0.5) * unit if key.endswith('running_var') else np.float32(scale) * unit
    return torch.from_numpy(value.reshape(shape).astype(np.float32))


def pattern(width, height, seed):
    c, y, x = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing='ij')
    v = (x * (3 + seed) + y * (5 + c) + (x // 16 * (y // 16) * 41 + c * 85 + seed * 31)) % 256
    return torch.from_numpy((v.astype(np.float32) / np.float32(127.5) - np.float32(1))[None])


def selfcheck(ref, out):
    width, height = 256, 128
    g = fold(ref.Generator(2, width=width, height=height)).eval()
    state = {k: random_tensor(k, list(v.shape), 1) for k, v in g.state_dict().items() if not k.endswith('tracked')}
    g.load_state_dict(state, strict=False)
    z = pattern(width // 128, height // 128, 7)
    with torch.no_grad():
        output = ref.run(g, pattern(width, height, 0), pattern(width, height, 1), z)
    print(f'self-check: output within {output.min():.3f} ... {output.max():.3f}, deviation {output.std():.3f}')
    os.makedirs(out, exist_ok=True)
    np.save(os.path.join(out, 'output.npy'), output.numpy())


# --- the large goldens

def rounded(ref, path, width, height):
    """The reference with folded convolution and linear weights rounded to half precision, as `--store half` keeps them."""
    g = fold(ref.load(path, width, height))
    for name, tensor in g.state_dict().items():
        if tensor.dtype == torch.float32:
            tensor.copy_(tensor.half().float())
    return g


def check(solstice, model, folder):
    result = subprocess.run([solstice, 'model', 'check', model, '--golden', folder], capture_output=True, text=True)
    return result.returncode, result.stdout.strip() or result.stderr.strip()


def large(ref, solstice, models, scratch):
    failed = False
    cases = []
    for ngf in (2, 4, 8, 16):
        path = os.path.join(scratch, f'ngf{ngf}.pth')
        torch.save(ref.build('ast', ngf, 512, 256, ngf).state_dict(), path)
        cases.append((f'ngf {ngf}, random', path, []))
    cases += [(os.path.basename(m), m, ['--store', 'half']) for m in models]
    for name, path, options in cases:
        model = os.path.join(scratch, os.path.basename(path).replace('.pth', '.safetensors'))
        subprocess.run([solstice, 'model', 'import', path, model, *options], check=True, stdout=subprocess.DEVNULL)
        for width, height in SIZES:
            folder = os.path.join(scratch, f'{os.path.basename(path)}-{width}x{height}')
            g = rounded(ref, path, width, height) if options else ref.load(path, width, height)
            write_golden(ref, g, folder, width, height, 5, intermediates=False)
            code, text = check(solstice, model, folder)
            print(f'{name:22s} {width:4d}x{height:<4d} exit {code}  {text}', flush=True)
            failed |= code != 0
    sys.exit(1 if failed else 0)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('command', choices=['fixtures', 'selfcheck', 'large'])
    p.add_argument('--reference', required=True)
    p.add_argument('--out')
    p.add_argument('--solstice')
    p.add_argument('--models', nargs='*', default=[])
    p.add_argument('--scratch')
    a = p.parse_args()
    ref = load_reference(a.reference)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if a.command == 'fixtures':
        fixtures(ref, a.out or os.path.join(root, 'Tests/TSITTests/Fixtures'))
    elif a.command == 'selfcheck':
        selfcheck(ref, a.out or os.path.join(root, 'Sources/TSIT/Resources/SelfCheck'))
    elif not a.solstice:
        p.error('large needs --solstice')
    else:
        large(ref, a.solstice, a.models, a.scratch or tempfile.mkdtemp())


if __name__ == '__main__':
    main()
