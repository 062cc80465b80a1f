"""Measures how fast the paper's configs train, eager and compiled: tokens per second, MFU, memory.

    python -m benchmarks.training_speed tts egs/libriheavy/conf/tts_1600x.yaml --gpu h200
    python -m benchmarks.training_speed codec egs/libriheavy/conf/codec_1600x.yaml --device meta

It times steps of the real engine (forward, backward, clipping, optimizer, averages) on synthetic
batches in one process and prints one JSON object. `--device meta` runs no step and prints only
parameters, bytes and FLOPs.

MFU = model FLOPs of a step / (seconds x peak). Operations that activation checkpointing repeats are
not counted. benchmarks/lib/training_flops.py says how FLOPs are counted.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.lib.hardware import describe
from benchmarks.lib.synthetic_batches import audio_batch, speech_batch
from benchmarks.lib.training_flops import SpeechSizes, codec_flops, tts_flops
from latentspeech.codec.task import CodecTask
from latentspeech.core.config import load_config
from latentspeech.core.tensors import map_tensors
from latentspeech.core.train.batches import PlannedBatch
from latentspeech.core.train.block_transforms import prepare_units
from latentspeech.core.train.engine import TrainConfig
from latentspeech.core.train.optim import build_optimizers
from latentspeech.core.train.optimizer_turn import StepBatches, TurnContext, run_turn
from latentspeech.core.train.processes.launcher import Launcher
from latentspeech.core.train.state.ema import Ema
from latentspeech.core.train.task import Task
from latentspeech.training.codec_run import CodecRunConfig
from latentspeech.training.tts_run import TTSRunConfig
from latentspeech.tts.model import SPEECH, latent_lm_config
from latentspeech.tts.training.task import TTSTask

# Dense bf16 tensor-core peaks from the makers' data sheets (SXM), TFLOP/s.
PEAK_TFLOPS = {"a100": 312.0, "h100": 989.4, "h200": 989.4}
# float32 weights, gradients, two moments and averages.
BYTES_A_PARAMETER = 4 + 4 + 8 + 4
WARM_UP = 5
STEP = 1_000_000  # late enough that every turn has started


class Workload(NamedTuple):
    """One micro-batch of a config, with its sizes and operations."""

    make_task: Callable[[], Task]
    make_batch: Callable[[], Any]
    train: TrainConfig
    flops: Callable[[Task], float]  # operations of one step
    tokens: int  # number of latents
    unit: dict[str, float]  # other quantities that a step processes, by name


def tts_workload(path: Path, changes: list[str], args: argparse.Namespace) -> Workload:
    """Makes as many utterances as fit into max_total_latents, packed into rows."""
    run = load_config(TTSRunConfig, path, changes)
    config = latent_lm_config(run.model, args.vocab_size, args.latent_dim)
    count = max(1, run.data.max_total_latents // args.latents)
    sizes = [(args.text_tokens, args.latents)] * count
    speech = config.modalities[SPEECH]
    mean, std = torch.zeros(args.latent_dim), torch.ones(args.latent_dim)
    elements = args.text_tokens + args.latents + 2  # BOD and EOD
    counted = SpeechSizes(count, elements, args.latents, decisions=args.latents)
    row = max(args.row_length, elements)
    return Workload(
        lambda: TTSTask(config, run.optimizer, mean, std),
        lambda: speech_batch(speech, args.vocab_size, sizes, row),
        run.train,
        lambda task: tts_flops(config, counted),
        count * args.latents,
        {"elements": count * elements, "utterances": count},
    )


def codec_workload(path: Path, changes: list[str], args: argparse.Namespace) -> Workload:
    """Makes a batch of segments, at a step where the discriminators train."""
    run = load_config(CodecRunConfig, path, changes)
    samples = round(run.data.segment_s * run.codec.sample_rate)
    size = run.data.batch_size
    return Workload(
        lambda: CodecTask(
            run.codec, run.loss, run.discriminators, run.optimizer, run.discriminator_optimizer
        ),
        lambda: audio_batch(size, samples),
        run.train,
        lambda task: size * codec_flops(task, samples, STEP),
        size * samples // run.codec.hop_length,
        {"audio_s": size * samples / run.codec.sample_rate},
    )


def budget(work: Workload, peak: float | None) -> dict[str, Any]:
    """Computes the parameters, memory and operations of a config without running it."""
    task = work.make_task()
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in _parts(task)}
    total = sum(p.numel() for p in task.parameters())
    flops = work.flops(task)
    values: dict[str, Any] = {
        "parameters_m": {name: round(n / 1e6, 3) for name, n in parts.items() if n},
        "total_parameters_m": round(total / 1e6, 3),
        "weights_and_state_gb": round(total * BYTES_A_PARAMETER / 1e9, 4),
        "tflops_a_step": round(flops / 1e12, 6),
        "tokens_a_step": work.tokens,
        "gflops_a_token": round(flops / work.tokens / 1e9, 4),
        **work.unit,
    }
    if peak is not None:
        values["tokens_a_second_at_45_percent_mfu"] = round(0.45 * peak * work.tokens / flops)
    return values


def _parts(task: Task) -> list[tuple[str, torch.nn.Module]]:
    """Returns the named parts of a model; `discriminators` is empty if there are none."""
    if isinstance(task, TTSTask):
        return [("backbone", task.model.backbone), ("head", task.model.diffusion(SPEECH))]
    assert isinstance(task, CodecTask)
    judges = task.discriminators or torch.nn.Module()
    parts = {"encoder": task.codec.encoder, "decoder": task.codec.decoder}
    return [*parts.items(), ("discriminators", judges)]


def measure(work: Workload, launcher: Launcher, compiled: bool, steps: int) -> dict[str, Any]:
    """Measures the median seconds of a step and the peak of memory.

    WARM_UP steps, in which the model is compiled, come first and are not counted.
    """
    torch.manual_seed(0)
    task, batch = work.make_task(), work.make_batch()
    prepare_units(task, work.train.activation_checkpointing, compiled)
    model = launcher.wrap(task)
    optimizers = build_optimizers(task.optimizer_specs(), task)
    ema = Ema(task.averaged_module(), work.train.ema_decay)
    batch = map_tensors(lambda tensor: tensor.to(launcher.device), batch)
    planned = PlannedBatch(epoch=0, window=0, position=0, items=[], seed=0)
    cuda = launcher.device.type == "cuda"
    seconds: list[float] = []
    losses: list[float] = []
    task.train()
    with tempfile.TemporaryDirectory() as folder:
        context = TurnContext(task, model, launcher, 0, Path(folder))
        for index in range(WARM_UP + steps):
            if cuda:
                torch.cuda.synchronize()
                if index == WARM_UP:
                    torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            current = StepBatches(STEP + index, [planned], [batch])
            for turn in task.turns(STEP):
                found = run_turn(context, optimizers[turn], current)
            ema.update(STEP)
            if cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
            losses.append(float(next(iter(found[0].values()))))
    if cuda:
        peak_bytes = torch.cuda.max_memory_allocated()
    else:  # peak of the process so far, which Linux gives in kilobytes
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "mode": "compiled" if compiled else "eager",
        "step_s": statistics.median(seconds[WARM_UP:]),
        "peak_memory_gb": round(peak_bytes / 1e9, 3),
        "first_loss": round(losses[0], 5),
        "last_loss": round(losses[-1], 5),
    }


def compare(work: Workload, args: argparse.Namespace, peak: float | None) -> dict[str, Any]:
    """Measures the modes of `args.modes`, by default eager and compiled, and their ratio."""
    devices = 1 if args.device == "cuda" else 0
    launcher = Launcher(devices, 1, work.train.precision)
    flops = work.flops(work.make_task())
    rows = []
    for compiled in [mode == "compiled" for mode in args.modes]:
        torch.compiler.reset()
        row = measure(work, launcher, compiled, args.steps)
        step_s = row["step_s"]
        rates = {f"{name}_a_second": round(n / step_s, 2) for name, n in work.unit.items()}
        row |= {"tokens_a_second": round(work.tokens / step_s, 1), **rates}
        row["mfu"] = None if peak is None else round(flops / (step_s * peak), 4)
        row["step_s"] = round(step_s, 5)
        rows.append(row)
    times = {row["mode"]: row["step_s"] for row in rows}
    ratio = round(times["eager"] / times["compiled"], 3) if len(times) == 2 else None
    return {"rows": rows, "compiled_over_eager_speed": ratio, "steps": args.steps}


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("tts", "codec"))
    parser.add_argument("config", type=Path, help="YAML file of a run")
    parser.add_argument("--set", action="append", default=[], help="change of the config, a.b=c")
    parser.add_argument("--device", choices=("cuda", "cpu", "meta"), default="cuda")
    parser.add_argument("--modes", nargs="+", choices=("eager", "compiled"),
                        default=["eager", "compiled"])  # fmt: skip
    parser.add_argument("--steps", type=int, default=50)
    peak = parser.add_mutually_exclusive_group()
    peak.add_argument("--gpu", choices=sorted(PEAK_TFLOPS), help="GPU whose peak MFU refers to")
    peak.add_argument("--peak-tflops", type=float, help="the peak of another device")
    parser.add_argument("--latents", type=int, default=225, help="per utterance (15 s at 15 Hz)")
    parser.add_argument("--text-tokens", type=int, default=60, help="tokens per utterance")
    parser.add_argument("--row-length", type=int, default=4096, help="elements of a packed row")
    parser.add_argument("--vocab-size", type=int, default=2048, help="size of the tokenizer")
    parser.add_argument("--latent-dim", type=int, default=32, help="channels of a latent")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> dict[str, Any]:
    """Runs the benchmark and returns the values to print."""
    args = parse(arguments)
    tflops = PEAK_TFLOPS[args.gpu] if args.gpu else args.peak_tflops
    peak = None if tflops is None else 1e12 * tflops
    make = tts_workload if args.kind == "tts" else codec_workload
    work = make(args.config, args.set, args)
    values = {"kind": args.kind, "config": str(args.config), "set": args.set, "peak_tflops": tflops}
    values["precision"] = work.train.precision
    values["budget"] = budget(work, peak)
    if args.device == "meta":
        return values
    return {"hardware": describe(), **values, **compare(work, args, peak)}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:]), indent=2))
