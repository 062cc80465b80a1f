"""What each stage costs on ImageNet, from sizes and settings of conf/.

    python3 egs/imagenet/local/plan.py                          tables in Markdown, as in README
    python3 egs/imagenet/local/plan.py --stage 5 --size xl      two lines, as in --help

GPU-hours are derived, not measured: operations of the matrices (attention scores are left out)
divided by MFU times a card's dense bf16 rate. This file uses the standard library only, since
--help runs it.
"""

import argparse
from typing import NamedTuple

IMAGES, CLASSES, VALID_IMAGES = 1_281_167, 1000, 50_000
PIXELS_GB = 150.0  # train and val as they are published
PATCH, LATENT_DIM = 16, 16
NUM_NOISE_DRAWS = 4
SAMPLES, SOLVER_STEPS, SCALES = 50_000, 20, 5

TOKENIZER_STEPS, TOKENIZER_BATCH = 1_000_800, 256
SIDE = 85.4e6  # parameters of the matrices of a ViT-B
VGG_FLOP, DISCRIMINATOR_FLOP = 40.4e9, 6.3e9  # forward, an image of 256 pixels

GPU_FLOP_PER_S = 989e12  # H100 and H200, dense bf16
MFU = 0.45
KEPT = 4  # checkpoints: three, and the one being written
STATE_BYTES = 16  # weights, both moments and the average of a parameter, float32


class Generator(NamedTuple):
    """Sizes and length of a run of LatentLM; the DiT twin has its width, layers and steps."""

    width: int
    layers: int
    ffn_dim: int
    head_layers: int
    steps: int
    batch: int


GENERATORS = {
    "l": Generator(1024, 32, 2730, 6, 250_000, 2048),
    "medium": Generator(1024, 24, 4096, 3, 75_000, 2048),
    "large": Generator(1536, 24, 6144, 3, 75_000, 2048),
    "xl": Generator(2048, 24, 8192, 3, 75_000, 2048),
    "3b": Generator(2560, 32, 10240, 3, 75_000, 2048),
    "study": Generator(1024, 24, 4096, 3, 200_000, 256),
}
STEPS_384 = 100_000


def gpu_hours(flop: float) -> float:
    """Hours of one card at MFU."""
    return flop / (GPU_FLOP_PER_S * MFU) / 3600


def matrices(size: Generator, model: str) -> tuple[int, int]:
    """Parameters of the matrices of backbone and of head, which sees each latent several times."""
    d = size.width
    if model == "dit":  # FFN 8/3 d; the modulation is once an image
        return size.layers * (4 * d * d + 3 * d * (8 * d // 3)), 0
    backbone = size.layers * (4 * d * d + 3 * d * size.ffn_dim)
    return backbone, size.head_layers * (3 * d * size.ffn_dim + 3 * d * d) + 2 * d * d


def training_flop(size: Generator, model: str, latents: int) -> float:
    """Six operations a parameter and latent it sees, over the whole run."""
    backbone, head = matrices(size, model)
    steps = STEPS_384 if latents > 256 else size.steps
    return 6 * (backbone + NUM_NOISE_DRAWS * head) * latents * steps * size.batch


def drawing_flop(size: Generator, model: str, latents: int) -> float:
    """Of one image with guidance, which doubles the rows."""
    backbone, head = matrices(size, model)
    passes = SOLVER_STEPS if model == "dit" else 1
    return 2 * 2 * (backbone * passes + SOLVER_STEPS * head) * latents


def tokenizer_flop(latents: int) -> float:
    """Over the whole run: the tokenizer both ways and once more for the discriminator's turn.

    The perceptual network sees copy and original, and gives the copy's gradient; the discriminator
    has nine passes' worth.
    """
    side = 2 * SIDE * latents
    scale = latents / 256
    image = 4 * 2 * side + scale * (3 * VGG_FLOP + 9 * DISCRIMINATOR_FLOP)
    return image * TOKENIZER_STEPS * TOKENIZER_BATCH


def stage_costs(stage: int, size_name: str, model: str, pixels: int) -> tuple[str, str]:
    """(disk, time) of a stage in words."""
    latents = (pixels // PATCH) ** 2
    size = GENERATORS[size_name]
    backbone, head = matrices(size, model)
    stored = (2 * IMAGES + VALID_IMAGES) * latents * LATENT_DIM * 2
    encode = gpu_hours(2 * SIDE * latents * (2 * IMAGES + VALID_IMAGES))
    train = gpu_hours(training_flop(size, model, latents))
    draw = gpu_hours(drawing_flop(size, model, latents) * SAMPLES * SCALES)
    checkpoints = KEPT * STATE_BYTES * (backbone + head)
    lines = {
        0: ("none", "seconds"),
        1: (f"the pictures themselves: {PIXELS_GB:.0f} GB", "minutes, the names of all files"),
        2: (
            f"{KEPT * STATE_BYTES * 2 * SIDE / 1e9:.0f} GB of checkpoints",
            f"{gpu_hours(tokenizer_flop(latents)):,.0f} GPU-hours, derived",
        ),
        3: ("1 GB", f"not measured; {VALID_IMAGES:,} copies if --max_copies asks for all"),
        4: (f"{stored / 1e9:.0f} GB of latents", f"{encode:.2f} GPU-hours, derived, and reading"),
        5: (f"{checkpoints / 1e9:.0f} GB of checkpoints", f"{train:,.0f} GPU-hours, derived"),
        6: (
            f"{SAMPLES * SCALES:,} files of {pixels} pixels",
            f"{draw:.1f} GPU-hours at MFU {MFU}, derived; launches of small kernels add to it",
        ),
        7: ("none", "no classifier has a configuration here"),
        8: ("under 100 MB", "not measured; Inception on samples and pictures, at each scale"),
        9: (f"{2 * (backbone + head + 2 * SIDE) / 1e9:.1f} GB", "all training pictures are read"),
        10: ("none", "minutes a size on one GPU"),
    }
    return lines[stage]


def stage_table(size: str, model: str, pixels: int) -> str:
    """Disk and time of every stage in Markdown."""
    lines = ["| stage | disk | time |", "|---|---|---|"]
    for stage in range(11):
        disk, time = stage_costs(stage, size, model, pixels)
        lines.append(f"| {stage} | {disk} | {time} |")
    return "\n".join(lines) + "\n"


def size_table() -> str:
    """GPU-hours of training by size, in Markdown."""
    lines = ["| size | pixels | LatentLM | DiT |", "|---|---|---|---|"]
    for name, pixels in (*((name, 256) for name in GENERATORS), ("xl", 384)):
        latents = (pixels // PATCH) ** 2
        hours = [
            gpu_hours(training_flop(GENERATORS[name], model, latents)) for model in ("lm", "dit")
        ]
        twin = "-" if name == "l" else f"{hours[1]:,.0f} GPU-h"
        lines.append(f"| {name} | {pixels} | {hours[0]:,.0f} GPU-h | {twin} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", type=int)
    parser.add_argument("--size", default="l", choices=GENERATORS)
    parser.add_argument("--model", default="lm")
    parser.add_argument("--pixels", type=int, default=256)
    arguments = parser.parse_args()
    chosen = (arguments.size, arguments.model, arguments.pixels)
    if arguments.stage is None:
        print(stage_table(*chosen))
        print(size_table())
        return
    disk, time = stage_costs(arguments.stage, *chosen)
    print(f"       disk    {disk}")
    print(f"       time    {time}")


if __name__ == "__main__":
    main()
