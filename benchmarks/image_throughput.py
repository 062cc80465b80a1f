"""How fast LatentLM and DiT draw the latents of images, side by side (paper 5.1.4, Figure 4).

    python -m benchmarks.image_throughput > benchmarks/results/image_throughput.json
    python -m benchmarks.image_throughput --device cuda --sizes xl 3b --batch-sizes 64 128 256

Random weights, 256 latents, 20 solver steps, guidance; the tokenizer is left out. LatentLM runs
with all key/value heads (mha) and with four (gqa).

On a CPU a whole image takes minutes, so its parts are measured, in processor time and in turns: a
solver step of DiT, of which an image has 20; and LatentLM's step at the middle of the sequence, of
which it has 256 and whose cost grows evenly with the place. `--whole` draws whole images instead.
Both models also run with packed matrices (core/nn/packed_linear.py), and each ratio takes the
faster variant of each.

On a GPU both run in bfloat16 and draw whole batches after a warm-up; LatentLM also as CUDA graphs,
one of the head with its 20 solver steps and one of the backbone for each place, which replace some
two thousand launches a latent by two.

B images, N latents of an image, D latent size, d model width.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.lib.hardware import describe
from latentspeech.core.diffusion.process import NetworkDenoiser
from latentspeech.core.diffusion.solvers import solve
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.packed_linear import can_pack, pack_linears
from latentspeech.core.tensors import make_generator
from latentvision.generation.build import ModelConfig, build_generator
from latentvision.generation.dit import DiT
from latentvision.generation.generator import ImageGenerator, ImageSampling, normal_noise
from latentvision.generation.image_lm import IMAGE, ImageLM
from latentvision.generation.presets import dit_preset, imagenet_space, lm_preset
from latentvision.generation.space import ImageSpace

SAMPLING = ImageSampling(num_steps=20, cfg_scale=1.75)


class Loop:
    """LatentLM's sampling with fixed shapes and without decisions, which can be CUDA graphs."""

    def __init__(self, model: ImageLM, batch_size: int, sampling: ImageSampling) -> None:
        self.model, self.sampling, self.batch_size = model, sampling, batch_size
        diffusion = model.lm.diffusion(IMAGE)
        self._grid = diffusion.process.grid(sampling.num_steps)
        self._times = self._grid[:-1].to(model.device)
        backbone, count = model.lm.backbone, model.space.num_latents
        self._storage = backbone.init_state(2 * batch_size, count + 1)
        self._hidden = torch.zeros(2 * batch_size, backbone.config.model_dim).to(self._storage.keys)
        self._noise = torch.zeros(batch_size, model.space.latent_dim, device=model.device)
        self._raw = torch.zeros_like(self._noise)
        self._inputs = torch.zeros_like(self._hidden)
        self._write: Callable[[], None] = self.write
        self._read: list[Callable[[], None]] = []

    def write(self) -> None:
        """Draws the latents of one place for the hidden states."""
        lm, size = self.model.lm, self.batch_size
        diffusion = lm.diffusion(IMAGE)
        denoiser = NetworkDenoiser(
            diffusion.process,
            lambda _: diffusion.predict_at(self._hidden, self._times),
            self.sampling.cfg_scale,
        )
        normalized = solve(self.sampling.solver, denoiser, self._noise, self._grid)
        self._raw.copy_(lm.denormalize(IMAGE, normalized))
        inputs = lm.embed_latents(IMAGE, lm.normalize(IMAGE, self._raw))
        self._inputs[:size], self._inputs[size:] = inputs, inputs

    def read(self, place: int) -> None:
        """Feeds the latents just drawn, which come after `place` positions of the cache."""
        self._hidden.copy_(self._step(self._inputs[:, None], place))

    def _step(self, x: Tensor, place: int) -> Tensor:
        store = self._storage
        lengths = torch.full((len(x),), place, device=x.device)
        view = KVCache(store.keys, store.values, lengths, end=place)
        return self.model.lm.backbone.step(x, view)[0][:, -1]

    def capture(self) -> None:
        """Records the CUDA graphs; all share their memory."""
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            self.write()
            self.read(2)
        torch.cuda.synchronize()
        pool = torch.cuda.graph_pool_handle()  # type: ignore[no-untyped-call]

        def record(call: Callable[[], None]) -> Callable[[], None]:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                call()
            return graph.replay

        self._write = record(self.write)
        places = range(2, self.model.space.num_latents + 1)
        self._read = [record(lambda place=place: self.read(place)) for place in places]

    @torch.inference_mode()
    def draw(self, labels: Tensor, noise: Tensor) -> Tensor:
        """Labels (B,) and noise (B, N, D) -> raw latents (B, N, D), as `ImageGenerator.sample`."""
        model = self.model
        asked = torch.cat((labels, model.without_class(labels)))  # (2 B,)
        ids = torch.stack((asked, torch.full_like(asked, model.bod_id)), dim=1)
        self._hidden.copy_(self._step(model.lm.embed_tokens(ids, None), 0))
        latents = []
        for place in range(model.space.num_latents):
            self._noise.copy_(noise[:, place])
            self._write()
            latents.append(self._raw.clone())
            if place + 1 < model.space.num_latents:
                if self._read:
                    self._read[place]()
                else:
                    self.read(2 + place)
        return torch.stack(latents, dim=1)

    @torch.inference_mode()
    def parts(self) -> dict[str, Callable[[], None]]:
        """The two parts of a step in the middle of the sequence, to be timed."""
        return {
            "head": self.write,
            "backbone": lambda: self.read(self.model.space.num_latents // 2),
        }


def flops(model: ImageGenerator) -> float:
    """Floating point operations of an image with guidance, without those of small layers."""
    space, steps = model.space, SAMPLING.num_steps
    count = space.num_latents
    if isinstance(model, ImageLM):
        backbone, head = model.lm.backbone, model.lm.diffusion(IMAGE).head
        once = sum(p.numel() for p in backbone.parameters()) + head.condition.weight.numel()
        every_step = sum(p.numel() for p in head.parameters()) - head.condition.weight.numel()
        config = backbone.config
        attention = 4 * (count / 2) * config.num_heads * config.head_dim * config.num_layers
        return 2 * count * (2 * (once + steps * every_step) + attention)
    assert isinstance(model, DiT)
    config = model.backbone.config
    matrices = sum(
        p.numel() for name, p in model.backbone.named_parameters() if "modulation" not in name
    )
    attention = 4 * count * config.num_heads * config.head_dim * config.num_layers
    return 2 * steps * count * (2 * matrices + attention)


def make(config: ModelConfig, space: ImageSpace, device: torch.device) -> ImageGenerator:
    """A model with random weights, those included that are zero before training."""
    torch.manual_seed(0)
    model = build_generator(space, config)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return model.to(device).to(torch.float32 if device.type == "cpu" else torch.bfloat16).eval()


class Contestant(NamedTuple):
    """A call that is timed, and what its seconds are multiplied by to give seconds an image."""

    call: Callable[[], object]
    factor: float


def lm_parts(model: ImageLM, batch_size: int) -> dict[str, Contestant]:
    """Head and backbone of a step; an image has N of each."""
    factor = model.space.num_latents / batch_size
    parts = Loop(model, batch_size, SAMPLING).parts()
    return {name: Contestant(call, factor) for name, call in parts.items()}


def dit_parts(model: DiT, batch_size: int) -> dict[str, Contestant]:
    """One solver step, with and without the class; an image has `num_steps`."""
    space = model.space
    x = torch.randn(2 * batch_size, space.num_latents, space.latent_dim)
    t, labels = torch.full((2 * batch_size,), 0.5), torch.zeros(2 * batch_size, dtype=torch.long)
    return {"step": Contestant(lambda: model(x, t, labels), SAMPLING.num_steps / batch_size)}


def whole(model: ImageGenerator, batch_size: int) -> dict[str, Contestant]:
    """Whole images, by the call that users make."""
    labels = torch.arange(batch_size) % model.space.num_classes

    def call() -> object:
        generators = [make_generator(0, "image", number) for number in range(batch_size)]
        return model.sample(labels, generators, SAMPLING)

    return {"whole": Contestant(call, 1 / batch_size)}


def on_cpu(
    size: str,
    batch_sizes: list[int],
    repeats: int,
    space: ImageSpace,
    is_whole: bool = False,
    variants: tuple[bool, ...] = (True, False),
) -> list[dict[str, Any]]:
    """Rows of seconds an image, one for each model, variant (packed or not) and batch size."""
    work = _work(size, space)
    (_, dit_config), *twins = _contestants(size)
    rows: list[dict[str, Any]] = []
    for packed in variants if can_pack() else (False,):
        dit = _prepared(dit_config, space, packed)
        for name, config in twins:
            model = _prepared(config, space, packed)
            for batch_size in batch_sizes:
                # DiT's speed hardly depends on the batch: an image has hundreds of rows already.
                pair = {"dit": _parts(dit, 1, is_whole), name: _parts(model, batch_size, is_whole)}
                for which, seconds in _in_turns(pair, repeats).items():
                    row: dict[str, Any] = {"model": which, "beside": name, "packed": packed}
                    row["batch_size"] = batch_size
                    row["seconds_an_image"] = sum(seconds.values())
                    row["parts"] = seconds
                    row["tflop_an_image"] = work[which] / 1e12
                    row["gflop_a_second"] = work[which] / row["seconds_an_image"] / 1e9
                    print(json.dumps(row), file=sys.stderr, flush=True)
                    rows.append(row)
            del model
            gc.collect()
    return rows


def _prepared(config: ModelConfig, space: ImageSpace, packed: bool) -> ImageGenerator:
    model = make(config, space, torch.device("cpu"))
    if packed:
        pack_linears(model)
    return model


def _parts(model: ImageGenerator, batch_size: int, is_whole: bool) -> dict[str, Contestant]:
    if is_whole:
        return whole(model, batch_size)
    if isinstance(model, ImageLM):
        with torch.inference_mode():
            return lm_parts(model, batch_size)
    assert isinstance(model, DiT)
    return dit_parts(model, batch_size)


@torch.inference_mode()
def _in_turns(
    models: dict[str, dict[str, Contestant]], repeats: int
) -> dict[str, dict[str, float]]:
    """Processor seconds an image of every part, medians of `repeats` turns after one to warm up."""
    parts = [(name, part, call) for name, of in models.items() for part, call in of.items()]
    seconds: dict[tuple[str, str], list[float]] = {(name, part): [] for name, part, _ in parts}
    for turn in range(1 + repeats):
        for name, part, contestant in parts:
            start = time.process_time()
            contestant.call()
            if turn:
                seconds[name, part].append((time.process_time() - start) * contestant.factor)
    return {
        name: {part: statistics.median(seconds[name, part]) for part in of}
        for name, of in models.items()
    }


def _contestants(size: str) -> list[tuple[str, ModelConfig]]:
    return [
        ("dit", dit_preset(size)),
        ("lm mha", lm_preset(size)),
        ("lm gqa", lm_preset(size, grouped=True)),
    ]


def _work(size: str, space: ImageSpace) -> dict[str, float]:
    with torch.device("meta"):
        return {name: flops(build_generator(space, config)) for name, config in _contestants(size)}


def on_gpu(
    size: str, batch_sizes: list[int], repeats: int, space: ImageSpace
) -> list[dict[str, Any]]:
    """Rows of seconds an image; DiT and the session eager, the loop as CUDA graphs."""
    rows: list[dict[str, Any]] = []
    device = torch.device("cuda")
    for name, config in _contestants(size):
        model = make(config, space, device)
        for batch_size in batch_sizes:
            calls = {"eager": whole(model, batch_size)["whole"].call}
            if isinstance(model, ImageLM):
                loop = Loop(model, batch_size, SAMPLING)
                with torch.inference_mode():
                    loop.capture()
                labels = torch.arange(batch_size, device=device) % space.num_classes
                generators = [make_generator(0, "x", number) for number in range(batch_size)]
                noise = normal_noise(generators, space.num_latents, space.latent_dim).to(device)
                calls["graphs"] = lambda loop=loop, labels=labels, noise=noise: loop.draw(
                    labels, noise
                )
            for variant, call in calls.items():
                seconds = _gpu_seconds(call, repeats) / batch_size
                rows.append(
                    {
                        "model": name,
                        "variant": variant,
                        "batch_size": batch_size,
                        "seconds_an_image": seconds,
                        "images_a_second": 1 / seconds,
                    }
                )
        del model
        torch.cuda.empty_cache()
    return rows


def _gpu_seconds(call: Callable[[], object], repeats: int) -> float:
    call()
    torch.cuda.synchronize()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """LatentLM over DiT, the fastest variant of each, by model and batch size."""
    return [
        {
            "model": model,
            "batch_size": batch_size,
            "over_dit": _fastest(rows, "dit", model, batch_size)
            / _fastest(rows, model, model, batch_size),
        }
        for model in ("lm mha", "lm gqa")
        for batch_size in sorted({row["batch_size"] for row in rows if row["model"] == model})
    ]


def _fastest(rows: list[dict[str, Any]], which: str, beside: str, batch_size: int) -> float:
    """Seconds an image, of the row that was timed in turns with `beside` if there are such."""
    own = [row for row in rows if (row["model"], row["batch_size"]) == (which, batch_size)]
    return min(row["seconds_an_image"] for row in own if row.get("beside", beside) == beside)


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["medium"])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--whole", action="store_true", help="draw whole images on the CPU")
    parser.add_argument("--packed-only", action="store_true", help="leave out plain matrices")
    arguments = parser.parse_args()
    variants = (True,) if arguments.packed_only else (True, False)
    torch.set_num_threads(arguments.threads)
    results = []
    space = imagenet_space()
    for size in arguments.sizes:
        if arguments.device == "cpu":
            sizes, repeats = arguments.batch_sizes, arguments.repeats
            rows = on_cpu(size, sizes, repeats, space, arguments.whole, variants)
        else:
            rows = on_gpu(size, arguments.batch_sizes, arguments.repeats, space)
        work = _work(size, space)
        bound = {name: work["dit"] / work[name] for name in ("lm mha", "lm gqa")}
        results.append(
            {"size": size, "arithmetic_bound": bound, "ratios": ratios(rows), "rows": rows}
        )
    values = {
        "hardware": describe(),
        "sampling": SAMPLING.model_dump(include={"num_steps", "cfg_scale", "solver"}),
        "whole": arguments.whole,
        "results": results,
    }
    print(json.dumps(values, indent=2))


if __name__ == "__main__":
    main()
