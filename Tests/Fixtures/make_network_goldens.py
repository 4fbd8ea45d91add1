"""Makes what the network is checked against, from a PyTorch implementation of TSIT given by path.

Needs: python3 -m venv ENV && ENV/bin/pip install torch numpy

  make_network_goldens.py fixtures  --reference PATH/tsit_reference.py [--out Tests/TSITTests/Fixtures]
      the small goldens of the tests, with all intermediate maps: ngf 2 (AST), statistics of the frame (MMIS, photo to art),
      alpha 0.5
  make_network_goldens.py sis       --reference PATH/tsit_reference.py [--out Tests/TSITTests/Fixtures]
      the small goldens of label networks and of the VAE encoder, base width 1; checkpoints of them and of AST in both
      serialisations, with and without the prefix of a data-parallel save
  make_network_goldens.py selfcheck --reference PATH/tsit_reference.py [--out Sources/TSIT/Resources/SelfCheck]
      the output that `solstice doctor` compares with: weights and inputs are computed here as the program computes them
  make_network_goldens.py large     --reference PATH/tsit_reference.py --solstice PATH [--models A.pth B.pth] [--scratch DIR]
      makes checkpoints of ngf 2, 4, 8, 16 and goldens of 256x256, 512x256, 1024x512, imports each with `solstice model
      import`, checks each with `solstice model check`, prints a table and exits 1 beyond the bounds. Given models are
      imported with `--store half` and compared with the reference on weights that were rounded the same way. Then
      ngf 16 at the published sizes: MMIS and photo to art with the statistics of the frame, Cityscapes with instances, a
      latent head and the VAE encoder, ADE20K with the head that starts from the labels.
  make_network_goldens.py fullsize  --reference PATH/tsit_reference.py --solstice PATH [--scratch DIR]
      makes latest_net_G.pth and latest_net_E.pth of the published width in both serialisations (1.6 GB each, one at a
      time), imports them, prints wall time and peak memory, and exits 1 beyond 30 s or 3 GB

The reference must offer build(), load(), inputs(), run(), STAGES and Generator as the specification's reference does.
"""
import argparse, importlib.util, json, os, struct, subprocess, sys, tempfile
import numpy as np
import torch
from torch import nn
from torch.nn.utils import remove_spectral_norm
import network_extras as extras

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
        trace = {}
        np.save(os.path.join(small, 'output_frame.npy'), ref.run(g, content, style, z, trace=trace).numpy())
        # Only the generator's blocks depend on the statistics.
        for name, _ in ref.STAGES:
            np.save(os.path.join(small, f'frame_{name}.npy'), trace[name].numpy())


def label_golden(g, folder, content, z, intermediates=True):
    """Writes z, output and the maps of a label network; the content is left to the caller."""
    os.makedirs(folder, exist_ok=True)
    trace = {} if intermediates else None
    with torch.no_grad():
        output = g(content, None, z, trace=trace)
    for name, t in dict(z=z, output=output, **(trace or {})).items():
        np.save(os.path.join(folder, name + '.npy'), t.numpy())


def sis_fixtures(ref, out):
    def path(*names):
        return os.path.join(out, *names)

    def store(folder, **arrays):
        os.makedirs(path(folder), exist_ok=True)
        for name, array in arrays.items():
            np.save(path(folder, name + '.npy'), np.asarray(array, np.float32))

    width, height = 256, 128
    # Cityscapes: instances, a latent head, the encoder. Stored as half, which keeps the files small and loses nothing.
    g = extras.round_to_half(ref.build('sis', 1, width, height, 4))
    e = extras.round_to_half(extras.build_encoder(2, 5))
    extras.save_variants(g, path('sis-G'), half=True)
    extras.save(e, path('sis-E-legacy.pth'), legacy=True, half=True)
    extras.save(e, path('sis-E-zip-module.pth'), prefix='module.', half=True)
    labels, instances = extras.label_map(35, width, height, 6, False)
    content = extras.one_hot(labels, 35, False, extras.instance_edges(instances))
    # The first is enlarged to the encoder's size, the second made smaller one way and larger the other.
    picture, wide = extras.reference_picture(96, 72, 7), extras.reference_picture(300, 40, 8)
    with torch.no_grad():
        mu, logvar = e(picture)
        wide_mu, wide_logvar = e(wide)
    label_golden(g, path('golden-sis'), content, mu)
    store('golden-sis', labels=labels, instances=instances, reference=picture, mu=mu, logvar=logvar)
    store('golden-sis-wide', reference=wide, mu=wide_mu, logvar=wide_logvar)
    with torch.no_grad():
        frame_statistics(g)
        store('golden-sis', output_frame=g(content, None, mu))

    # ADE20K: 'don't care', no instances, the head starts from the labels.
    ref.TASKS['ade20k'] = dict(nc=151, style=False, z_dim=0)
    g = extras.round_to_half(ref.build('ade20k', 1, width, height, 9))
    extras.save(g, path('ade-G.pth'), half=True)
    labels, _ = extras.label_map(150, width, height, 10, True)
    content = extras.one_hot(labels, 150, True)
    label_golden(g, path('golden-ade'), content, extras.label_head(content))
    store('golden-ade', labels=labels)

    # AST with the prefix; make_checkpoint_fixtures.py writes the ones without.
    g = ref.load(path('checkpoint-zip.pth'), 256, 256)
    extras.save(g, path('checkpoint-zip-module.pth'), prefix='module.')
    extras.save(g, path('checkpoint-legacy-module.pth'), legacy=True, prefix='module.')


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

def read_safetensors(path):
    with open(path, 'rb') as f:
        data = f.read()
    size = struct.unpack('<Q', data[:8])[0]
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    types = {'F32': '<f4', 'F16': '<f2'}
    return {key: torch.from_numpy(np.frombuffer(body[slice(*t['data_offsets'])], types[t['dtype']]).astype(np.float32).reshape(t['shape']))
            for key, t in header.items() if key != '__metadata__'}


def rounded(ref, path, model, width, height):
    """The reference with the very weights that the model file holds: folded and rounded to half precision."""
    g = fold(ref.load(path, width, height))
    state = read_safetensors(model)
    assert set(state) == {k for k in g.state_dict() if not k.endswith('num_batches_tracked')}
    g.load_state_dict(state, strict=False)
    return g.eval()


def psnr(a, b):
    return 10 * np.log10(4 / np.mean((np.load(a).astype(np.float64) - np.load(b)) ** 2))


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
        if os.path.exists(model):
            os.unlink(model)
        subprocess.run([solstice, 'model', 'import', path, model, *options], check=True, stdout=subprocess.DEVNULL)
        for width, height in SIZES:
            folder = os.path.join(scratch, f'{os.path.basename(path)}-{width}x{height}')
            write_golden(ref, ref.load(path, width, height), folder, width, height, 5, intermediates=False)
            note = ''
            if options:
                exact, folder = folder, folder + '-half'
                write_golden(ref, rounded(ref, path, model, width, height), folder, width, height, 5, intermediates=False)
                note = f'; {psnr(exact + "/output.npy", folder + "/output.npy"):.1f} dB PSNR to unrounded weights'
            code, text = check(solstice, model, folder)
            print(f'{name:16s} {width:4d}x{height:<4d} exit {code}  {text}{note}', flush=True)
            failed |= code != 0
    for name, width, height, path, options, folder in published(ref, scratch):
        model = path.replace('.pth', '.safetensors')
        subprocess.run([solstice, 'model', 'import', path, model, '--overwrite', '--native-size', f'{width}x{height}', *options],
                       check=True, stdout=subprocess.DEVNULL)
        code, text = check(solstice, model, folder)
        print(f'{name:16s} {width:4d}x{height:<4d} exit {code}  {text}'.replace('\n', f'\n{"":35s}'), flush=True)
        failed |= code != 0
    sys.exit(1 if failed else 0)


def published(ref, scratch, ngf=16):
    """The tasks beyond AST at their published sizes: name, size, checkpoint, import options, golden."""
    def paths(name):
        return os.path.join(scratch, f'{name}.pth'), os.path.join(scratch, f'golden-{name}')

    for name, width, options in (('MMIS', 512, ['--task', 'mmis']), ('photo to art', 256, ['--norm', 'frame'])):
        path, folder = paths(name.replace(' ', '-'))
        g = ref.build('ast', ngf, width, 256, 20)
        extras.save(g, path)
        frame_statistics(g)
        write_golden(ref, g, folder, width, 256, 21, intermediates=False)
        yield name, width, 256, path, options, folder

    path, folder = paths('cityscapes')
    encoder = path.replace('.pth', '-E.pth')
    g, e = ref.build('sis', ngf, 512, 256, 22), extras.build_encoder(ngf, 23)
    extras.save(g, path, legacy=True, prefix='module.')
    extras.save(e, encoder, legacy=True)
    labels, instances = extras.label_map(35, 512, 256, 24, False)
    content = extras.one_hot(labels, 35, False, extras.instance_edges(instances))
    picture = extras.reference_picture(2048, 1024, 25)
    with torch.no_grad():
        mu, logvar = e(picture)
    label_golden(g, folder, content, mu, intermediates=False)
    for key, array in dict(content=content, reference=picture, mu=mu, logvar=logvar).items():
        np.save(os.path.join(folder, key + '.npy'), array.numpy())
    yield 'Cityscapes', 512, 256, path, ['--vae', encoder], folder

    path, folder = paths('ade20k')
    ref.TASKS['ade20k'] = dict(nc=151, style=False, z_dim=0)
    g = ref.build('ade20k', ngf, 256, 256, 26)
    extras.save(g, path)
    labels, _ = extras.label_map(150, 256, 256, 27, True)
    content = extras.one_hot(labels, 150, True)
    label_golden(g, folder, content, extras.label_head(content), intermediates=False)
    np.save(os.path.join(folder, 'content.npy'), content.numpy())
    yield 'ADE20K', 256, 256, path, ['--labels', 'ade20k'], folder


# --- files of the published size

def fullsize(reference, solstice, scratch):
    """This process stays small: another one makes each file."""
    def make(name, legacy):
        path = os.path.join(scratch, f'latest_net_{name}.pth')
        subprocess.run([sys.executable, __file__, 'fullsize-file', '--reference', reference, '--out', path, '--name', name]
                       + (['--legacy'] if legacy else []), check=True)
        return path

    failed = False
    model = os.path.join(scratch, 'model.safetensors')
    for legacy in (True, False):
        for name in ('G', 'G-sis'):
            files = [make(name, legacy)] + ([make('E', legacy)] if name == 'G-sis' else [])
            for store in ('float32', 'half'):
                command = [solstice, 'model', 'import', files[0], model, '--store', store]
                code, seconds, busy, peak = extras.measured(command + (['--vae', files[1]] if files[1:] else []))
                size = sum(os.path.getsize(f) for f in files) / 1e6
                print(f'{name:6s} {"legacy" if legacy else "zip":7s} {size:7.0f} MB  to {store:8s} exit {code}  {seconds:5.1f} s  '
                      f'(CPU {busy:4.1f} s)  peak {peak:6.0f} MB', flush=True)
                failed |= code != 0 or seconds > 30 or peak > 3072
                if os.path.exists(model):
                    os.unlink(model)
            for f in files:
                os.unlink(f)
    sys.exit(1 if failed else 0)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('command', choices=['fixtures', 'sis', 'selfcheck', 'large', 'fullsize', 'fullsize-file'])
    p.add_argument('--reference', required=True)
    p.add_argument('--out')
    p.add_argument('--solstice')
    p.add_argument('--models', nargs='*', default=[])
    p.add_argument('--scratch')
    p.add_argument('--name')
    p.add_argument('--legacy', action='store_true')
    a = p.parse_args()
    ref = load_reference(a.reference)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if a.command == 'fixtures':
        fixtures(ref, a.out or os.path.join(root, 'Tests/TSITTests/Fixtures'))
    elif a.command == 'sis':
        sis_fixtures(ref, a.out or os.path.join(root, 'Tests/TSITTests/Fixtures'))
    elif a.command == 'fullsize-file':
        extras.full_size(ref, a.name, a.out, a.legacy)
    elif a.command == 'selfcheck':
        selfcheck(ref, a.out or os.path.join(root, 'Sources/TSIT/Resources/SelfCheck'))
    elif not a.solstice:
        p.error(f'{a.command} needs --solstice')
    elif a.command == 'fullsize':
        fullsize(a.reference, os.path.abspath(a.solstice), a.scratch or tempfile.mkdtemp())
    else:
        large(ref, a.solstice, a.models, a.scratch or tempfile.mkdtemp())


if __name__ == '__main__':
    main()
