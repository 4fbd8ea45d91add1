"""Makes the checkpoints that the importer is tested with, and the folded weights that numpy gets from them.

Needs: python3 -m venv ENV && ENV/bin/pip install torch numpy

  make_checkpoint_fixtures.py PATH/tsit_reference.py [OUTDIR]     (default: Tests/TSITTests/Fixtures beside this script)

The reference is a PyTorch implementation of TSIT with the command `checkpoint OUT.pth --ngf N --task T [--legacy]`, whose
state dicts have the keys and shapes of the published ones. Written are, at ngf 1, which keeps them small:

  checkpoint-zip.pth      AST, the serialisation of PyTorch >= 1.6
  checkpoint-legacy.pth   the same state dict, the serialisation of PyTorch 1.1
  checkpoint-sis.pth      SIS with the linear head of the VAE, 36 input channels
  checkpoint-views.pth    not a generator: contiguous, transposed and offset views, half, bfloat16, double, a Parameter
  checkpoint-folded.npy   float32, one after the other: the effective weights of FOLDED, accumulated in float64 by numpy
"""
import os, subprocess, sys
import numpy as np
import torch

FOLDED = ['content_stream.res_0.conv_0', 'content_stream.res_3.conv_s', 'head_0.conv_1', 'style_stream.res_7.conv_0',
          'up_2.conv_s', 'up_3.conv_1']


def main():
    reference = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, '..', 'TSITTests', 'Fixtures')

    def checkpoint(name, *options):
        subprocess.run([sys.executable, reference, 'checkpoint', os.path.join(out, name), '--ngf', '1', '--width', '256',
                        '--height', '256', '--seed', '3', *options], check=True)

    checkpoint('checkpoint-zip.pth')
    checkpoint('checkpoint-legacy.pth', '--legacy')
    checkpoint('checkpoint-sis.pth', '--task', 'sis')

    base = torch.arange(24, dtype=torch.float32)
    torch.save({
        'plain': base.view(2, 3, 4).clone(),
        'transposed': base.clone().view(4, 6).t(),
        'channels_last': base.clone().view(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        'tail': base.clone()[20:],
        'half': base.clone().half() / 3,
        'bfloat16': base.clone().bfloat16(),
        'double': base.clone().double() / 3,
        'parameter': torch.nn.Parameter(base.clone()),
        'scalar': torch.tensor(2.5),
        'integer': torch.tensor(7),
    }, os.path.join(out, 'checkpoint-views.pth'), pickle_protocol=4)

    state = torch.load(os.path.join(out, 'checkpoint-zip.pth'), weights_only=True)
    folded = []
    for name in FOLDED:
        weight, u, v = (state[f'{name}.weight_{part}'].numpy().astype(np.float64) for part in ('orig', 'u', 'v'))
        folded.append((weight / (u @ (weight.reshape(len(u), -1) @ v))).astype(np.float32).ravel())
    np.save(os.path.join(out, 'checkpoint-folded.npy'), np.concatenate(folded))


if __name__ == '__main__':
    main()
