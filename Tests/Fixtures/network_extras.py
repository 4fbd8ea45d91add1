"""What the goldens need beyond the reference: the VAE encoder, label maps with instances, the head that starts from the
labels, checkpoints as they are met, and files of the published size.

Written from the specification, like the reference. Needs torch and numpy.
"""
import subprocess, sys
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm

DONT_CARE = 255
SIDE = 256       # the encoder resizes its input to SIDE x SIDE


class Encoder(nn.Module):
    """Six 3x3 convolutions of stride 2 with spectral and instance norm, then a linear layer each for mu and logvar."""

    def __init__(self, ngf, z_dim=256):
        super().__init__()
        widths = [3] + [ngf * m for m in (1, 2, 4, 8, 8, 8)]
        for k, (a, b) in enumerate(zip(widths, widths[1:]), 1):
            layer = nn.Sequential(spectral_norm(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False)),
                                  nn.InstanceNorm2d(b, affine=False, eps=1e-5))
            self.add_module(f'layer{k}', layer)
        self.fc_mu = nn.Linear(8 * ngf * 16, z_dim)
        self.fc_var = nn.Linear(8 * ngf * 16, z_dim)

    def forward(self, x):
        x = F.interpolate(x, size=(SIDE, SIDE), mode='bilinear', align_corners=False)
        for k in range(1, 7):
            x = F.leaky_relu(getattr(self, f'layer{k}')(x), 0.2)
        x = x.flatten(1)
        return self.fc_mu(x), self.fc_var(x)


def build_encoder(ngf, seed, z_dim=256):
    torch.manual_seed(seed)
    e = Encoder(ngf, z_dim)
    for m in e.modules():
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, m.in_features ** -0.5)
            nn.init.normal_(m.bias, 0, 0.1)
    e.train()
    with torch.no_grad():
        for _ in range(5):       # lets u and v settle
            e(torch.rand(1, 3, SIDE, SIDE) * 2 - 1)
    return e.eval()


def reference_picture(width, height, seed):
    rng = torch.Generator().manual_seed(seed)
    low = [torch.rand(1, 3, max(2, height // d), max(2, width // d), generator=rng) * 2 - 1 for d in (16, 4)]
    return sum(F.interpolate(p, size=(height, width), mode='bilinear') for p in low).clamp(-1, 1)


def label_map(classes, width, height, seed, dont_care):
    """Class and instance ids (height x width): cells around random points, an instance each, several of one class."""
    rng = np.random.default_rng(seed)
    count = 40
    ys, xs = rng.integers(0, height, count), rng.integers(0, width, count)
    y, x = np.mgrid[:height, :width]
    cell = ((y[..., None] - ys) ** 2 + (x[..., None] - xs) ** 2).argmin(-1)
    labels = rng.integers(0, classes, count)
    labels[1::7] = labels[0]
    if dont_care:
        labels[2::9] = DONT_CARE
    return labels[cell], cell + 1000 * (cell % 3)


def instance_edges(instances):
    edges = np.zeros(instances.shape, bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        differs = instances[a] != instances[b]
        edges[a] |= differs
        edges[b] |= differs
    return edges


def one_hot(labels, classes, dont_care, edges=None):
    """1 x channels x height x width: classes, 'don't care', edges."""
    labels = torch.from_numpy(np.where(labels == DONT_CARE, classes, labels)).long()
    channels = [F.one_hot(labels, classes + dont_care).permute(2, 0, 1).float()]
    if edges is not None:
        channels.append(torch.from_numpy(edges)[None].float())
    return torch.cat(channels)[None]


def label_head(content):
    """What a head that starts from the labels takes: the map resized to it, nearest."""
    return F.interpolate(content, size=(content.shape[2] // 128, content.shape[3] // 128), mode='nearest')


def round_to_half(module):
    """Values that a checkpoint stored in half precision holds exactly."""
    with torch.no_grad():
        for t in list(module.parameters()) + [b for b in module.buffers() if b.is_floating_point()]:
            t.copy_(t.half().float())
    return module


def save(module, path, legacy=False, prefix='', half=False):
    state = {prefix + k: v.half() if half and v.is_floating_point() else v for k, v in module.state_dict().items()}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)


def save_variants(module, stem, half=False):
    """Both serialisations, with and without the prefix of a data-parallel save."""
    for legacy in (False, True):
        for prefix in ('', 'module.'):
            save(module, f'{stem}-{"legacy" if legacy else "zip"}{"-module" if prefix else ""}.pth', legacy, prefix, half)


# --- files of the published size

def settle(module):
    """One power iteration for every u and v: the norm is then positive, as that of a trained checkpoint."""
    with torch.no_grad():
        for m in module.modules():
            if hasattr(m, 'weight_orig'):
                w = m.weight_orig.flatten(1)
                m.weight_v.copy_(F.normalize(w.t() @ m.weight_u, dim=0))
                m.weight_u.copy_(F.normalize(w @ m.weight_v, dim=0))
    return module


def full_size(ref, name, path, legacy):
    """`G` (AST), `G-sis` (Cityscapes) or `E`, base width 64, random weights."""
    torch.manual_seed(0)
    if name == 'E':
        module = Encoder(64)
    else:
        module = ref.Generator(64, width=512, height=256, **ref.TASKS['sis' if name == 'G-sis' else 'ast'])
    save(settle(module), path, legacy)


MEASURE = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


def measured(command):
    """Exit code, wall seconds, seconds of CPU time and peak resident MB of a command. A small Python starts it: the peak counts what the
    process was before it became the command, and this one has torch in it."""
    result = subprocess.run([sys.executable, '-c', MEASURE, *command], check=True, capture_output=True, text=True)
    sys.stderr.write(result.stderr)
    code, *figures = result.stdout.split()
    return int(code), *map(float, figures)
