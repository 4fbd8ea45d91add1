"""Times a frame of the network against its peers in one run, in turns, so that a noisy machine is the same for all.

Needs: python3 -m venv ENV && ENV/bin/pip install torch numpy onnx onnxscript onnxruntime openvino

  compare_peers.py --reference PATH/tsit_reference.py [--solstice .build/release/solstice] [--ngf 64 16 8] [--rounds 5]
      random weights, batch 1, style cached; prints a row of the README's table for every base width: medians over the rounds in
      milliseconds, and the ratios of the best peer's time to solstice's, round by round

Every contender gets the same number of threads, and in every round some frames to warm up and then the timed ones. The reference
must offer build(), inputs() and Frozen as the specification's reference does.
"""
import argparse, importlib.util, json, os, statistics, subprocess, tempfile, time
import onnxruntime
import openvino
import torch


def load_reference(path):
    spec = importlib.util.spec_from_file_location('tsit_reference', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def median_ms(frame, frames):
    frame()
    times = []
    for _ in range(frames):
        start = time.perf_counter()
        frame()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def peers(reference, args, ngf, folder):
    """Name to a function that runs one frame."""
    generator = reference.build('ast', ngf, args.width, args.height, 0)
    content, style, z = reference.inputs(generator, args.height, args.width, 1)
    with torch.no_grad():
        frozen = reference.Frozen(generator, style, z).eval()
        path = os.path.join(folder, f'{ngf}.onnx')
        torch.onnx.export(frozen, (content,), path, opset_version=17, dynamo=False, input_names=['x'], output_names=['y'])
    x = content.numpy()

    def pytorch(dtype):
        def frame():
            with torch.no_grad(), torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
                frozen(content)
        return frame

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(path, options)

    def compiled(precision):
        model = openvino.Core().compile_model(
            path, 'CPU', {'INFERENCE_PRECISION_HINT': precision, 'INFERENCE_NUM_THREADS': args.threads})
        request = model.create_infer_request()
        return lambda: request.infer({0: x})

    return {
        'OpenVINO f32': compiled('f32'), 'OpenVINO bf16': compiled('bf16'),
        'ONNX Runtime': lambda: session.run(None, {'x': x}),
        'PyTorch f32': pytorch(torch.float32), 'PyTorch bf16': pytorch(torch.bfloat16),
    }


def solstice_ms(args, ngf, precision, frames):
    command = [args.solstice, 'bench', 'network', '--ngf', str(ngf), '--size', f'{args.width}x{args.height}', '--precision', precision,
               '--threads', str(args.threads), '--runs', str(frames), '--json']
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    return json.loads(lines[-1])['median_ms']


def compare(reference, args, ngf, folder):
    frames = 5 if ngf >= 32 else 15
    contenders = {
        'float32': lambda: solstice_ms(args, ngf, 'float32', frames),
        'mixed': lambda: solstice_ms(args, ngf, 'mixed', frames),
    }
    for name, frame in peers(reference, args, ngf, folder).items():
        contenders[name] = lambda frame=frame: median_ms(frame, frames)
    times = {name: [] for name in contenders}
    for _ in range(args.rounds):
        for name, measure in contenders.items():
            times[name].append(measure())
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f'| {ngf} | ' + ' | '.join(f'{medians[name]:.1f}' for name in contenders) + ' |', flush=True)
    for ours, theirs in (('float32', ('OpenVINO f32',)), ('mixed', ('OpenVINO f32', 'OpenVINO bf16'))):
        ratios = sorted(min(times[name][i] for name in theirs) / times[ours][i] for i in range(args.rounds))
        print(f'  {ours}: {statistics.median(ratios):.2f} times as fast as {" or ".join(theirs)} ({ratios[0]:.2f} to {ratios[-1]:.2f})',
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--reference', required=True)
    parser.add_argument('--solstice', default='.build/release/solstice')
    parser.add_argument('--ngf', type=int, nargs='+', default=[64, 16, 8])
    parser.add_argument('--width', type=int, default=512)
    parser.add_argument('--height', type=int, default=256)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    reference = load_reference(args.reference)
    print('| base width | float32 | mixed | OpenVINO f32 | OpenVINO bf16 | ONNX Runtime | PyTorch f32 | PyTorch bf16 |')
    print('|---|---|---|---|---|---|---|---|')
    with tempfile.TemporaryDirectory() as folder:
        for ngf in args.ngf:
            compare(reference, args, ngf, folder)


if __name__ == '__main__':
    main()
