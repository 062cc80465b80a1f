"""What each stage costs on Libriheavy: bytes and hours by subset, from a few measured rates.

    python3 egs/libriheavy/local/plan.py                     tables in Markdown, as in docs/scale.md
    python3 egs/libriheavy/local/plan.py --stage 5           two lines, as in --help

The sizes of the corpus are published. Rates marked MEASURED are of one core of an AMD EPYC (torch
2.11, float32, CPU time). Operations are counted (tests/unit/egs/test_libriheavy_plan.py counts them
again). GPU-hours are derived, not measured: operations divided by MFU times a card's dense bf16
rate. A training that is bound by memory, as the codec's 24 kHz stages are, needs more than that.
This file uses the standard library only, since --help runs it.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Subset:
    """Published sizes; each subset holds the ones before (Kang et al. 2023, 2309.08105)."""

    hours: float
    speakers: int
    audio_gb: float  # the tars of Libri-Light

    @property
    def cuts(self) -> float:
        """By the mean length of a cut."""
        return self.hours * 3600 / MEAN_CUT_S


@dataclass(frozen=True)
class Codec:
    """One reduction: what a second of latents is and what making it costs."""

    frame_rate: float  # Hz
    latent_dim: int
    side_flop: float  # of encoder or decoder, forward, for a second of audio; counted
    encode_x: float | None  # seconds encoded a core-second; MEASURED, None where it was not

    @property
    def latent_bytes(self) -> float:
        """Of a second of latents in float16."""
        return self.frame_rate * self.latent_dim * 2

    @property
    def training_flop(self) -> float:
        """For a second of audio: 4 passes' worth of both sides, 10 of the discriminators.

        The discriminators' turn runs the codec forward (1) and judges copy and original forward and
        backward (3 each); the generator's runs it both ways (3), judges the copy both ways (3) and
        the original forward (1).
        """
        return 4 * 2 * self.side_flop + 10 * DISCRIMINATORS_FLOP


MEAN_CUT_S = 14.8
SUBSETS = {
    "small": Subset(509, 417, 35),
    "medium": Subset(5_042, 1_531, 35 + 321),
    "large": Subset(50_794, 6_736, 35 + 321 + 3_050),
}
CODECS = {
    640: Codec(37.5, 16, 27.24e9, None),
    1600: Codec(15, 32, 13.97e9, 1.68),
    3200: Codec(7.5, 64, 7.70e9, 3.23),
    6400: Codec(3.75, 128, 6.01e9, 6.93),
}
DISCRIMINATORS_FLOP = 34.8e9  # forward, for a second of audio; counted
BACKBONE, HEAD = 302.0e6, 51.7e6  # parameters of the TTS; counted
NUM_NOISE_DRAWS = 4
ABLATION = 640  # Table 8
CODEC_STEPS, CODEC_STEP_S = 400_000, 24.0  # conf/codec_*.yaml: steps; audio a step and process
TTS_STEPS, TTS_STEP_LATENTS = 100_000, 5.12e6  # conf/tts_1600x.yaml
CODEC_CHECKPOINT_GB, TTS_CHECKPOINT_GB, KEPT = 4.4, 5.7, 4  # three and the one being written
CUT_BYTES = 200.0  # a compressed line of cuts_train.jsonl.gz, about

CUTS_PER_S = 1e6 / 53  # MEASURED: stage 1 on 1,000,000 cuts, 40 MB of memory
LOAD_X = 1066.0  # MEASURED: seconds of 16 kHz FLAC cut out and resampled to 24 kHz a core-second

GPU_FLOP_PER_S = 989e12  # H100 and H200, dense bf16
MFU = 0.45


def gpu_hours(flop: float) -> float:
    """Hours of one card at MFU."""
    return flop / (GPU_FLOP_PER_S * MFU) / 3600


def tts_gpu_hours(reduction: int) -> float:
    """Six operations a parameter and position; the head sees each latent with every noise draw."""
    backbone = BACKBONE / 2 if reduction == ABLATION else BACKBONE  # 12 layers, not 24
    parameters = backbone + NUM_NOISE_DRAWS * HEAD
    return gpu_hours(6 * parameters * TTS_STEPS * TTS_STEP_LATENTS)


def codec_gpu_hours(codec: Codec) -> float:
    """Of one process's share: a further card adds audio to each step, not speed."""
    return gpu_hours(codec.training_flop * CODEC_STEPS * CODEC_STEP_S)


def bytes_needed(subset: str, reduction: int) -> dict[str, dict[str, float]]:
    """{data_dir or exp_dir: {what: bytes}} that the stages leave behind."""
    size, codec = SUBSETS[subset], CODECS[reduction]
    return {
        "data_dir": {"cuts": size.cuts * CUT_BYTES},
        "exp_dir": {
            "codec checkpoints": KEPT * CODEC_CHECKPOINT_GB * 1e9,
            "latents": size.hours * 3600 * codec.latent_bytes,
            "TTS checkpoints": KEPT * TTS_CHECKPOINT_GB * 1e9,
            "models, copies and synthesis": 5e9,
        },
    }


def stage_costs(stage: int, reduction: int) -> tuple[str, str]:
    """(disk, time) of a stage for all subsets, in words."""
    codec = CODECS[reduction]
    needed = {name: bytes_needed(name, reduction) for name in SUBSETS}
    latents = _by_subset(lambda name: amount(needed[name]["exp_dir"]["latents"]))
    cuts = _by_subset(lambda name: amount(needed[name]["data_dir"]["cuts"]))
    audio = _by_subset(lambda name: amount(SUBSETS[name].audio_gb * 1e9))
    join = _by_subset(lambda name: span(SUBSETS[name].cuts / CUTS_PER_S / 3600))
    load = _by_subset(lambda name: f"{SUBSETS[name].hours / LOAD_X:.1f}")
    encode = _by_subset(
        lambda name: f"{gpu_hours(codec.side_flop * SUBSETS[name].hours * 3600):.2f}"
    )
    slow = "not measured"
    if codec.encode_x is not None:
        slow = _by_subset(lambda name: f"{SUBSETS[name].hours / (codec.encode_x or 1):,.0f}")
    codec_gb, tts_gb = KEPT * CODEC_CHECKPOINT_GB, KEPT * TTS_CHECKPOINT_GB
    lines = {
        0: ("none", "seconds"),
        1: (f"{cuts} of cuts; the audio itself: {audio}", f"one core: {join}"),
        2: ("under 1 MB", "minutes, not measured at this size"),
        3: (
            f"{codec_gb:.0f} GB of checkpoints",
            f"{codec_gpu_hours(codec):.1f} GPU-hours a process at least, derived",
        ),
        4: ("2 files an utterance", "about 3 s an utterance and core for 100 utterances"),
        5: (
            f"{latents} of latents",
            f"core-hours to read {load}; GPU-hours to encode {encode}, derived; on cores: {slow}",
        ),
        6: (
            f"{tts_gb:.0f} GB of checkpoints",
            f"{tts_gpu_hours(reduction):,.0f} GPU-hours, derived, whatever the subset",
        ),
        7: (
            "4 files an utterance and setting",
            "1,234 utterances twice; not measured at this size",
        ),
        8: ("under 100 MB", "about 2 s an utterance and core, more with the paper's recognisers"),
        9: ("3 GB", "seconds, and the upload"),
    }
    return lines[stage]


def _by_subset(describe: Callable[[str], str]) -> str:
    return ", ".join(f"{name} {describe(name)}" for name in SUBSETS)


def amount(num_bytes: float) -> str:
    """Bytes in words."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.3g} {unit}"
    return f"{num_bytes / 1e3:.0f} kB"


def span(hours: float) -> str:
    """Hours in words."""
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.0f} min" if hours >= 1 / 60 else f"{hours * 3600:.0f} s"


def stage_table(reduction: int) -> str:
    """Disk and time of every stage in Markdown."""
    lines = ["| stage | disk | time |", "|---|---|---|"]
    for stage in range(10):
        disk, time = stage_costs(stage, reduction)
        lines.append(f"| {stage} | {disk} | {time} |")
    return "\n".join(lines) + "\n"


def plan_table() -> str:
    """The GPU-hours and bytes of the large subset, a row a codec."""
    hours = SUBSETS["large"].hours
    lines = [
        "| codec | latents, 50,794 h | encode | train codec, a process | train TTS | all, 8 GPUs |",
        "|---|---|---|---|---|---|",
    ]
    for reduction, codec in CODECS.items():
        latents = bytes_needed("large", reduction)["exp_dir"]["latents"]
        encode = gpu_hours(codec.side_flop * hours * 3600)
        training, speech = codec_gpu_hours(codec), tts_gpu_hours(reduction)
        days = (encode / 8 + training + speech / 8) / 24
        lines.append(
            f"| {reduction}x | {amount(latents)} | {encode:.1f} GPU-h | {training:.1f} GPU-h "
            f"| {speech:,.0f} GPU-h | {days:.1f} days |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", type=int)
    parser.add_argument("--reduction", type=int, default=1600, choices=CODECS)
    arguments = parser.parse_args()
    if arguments.stage is None:
        print(stage_table(arguments.reduction))
        print(plan_table())
        return
    disk, time = stage_costs(arguments.stage, arguments.reduction)
    print(f"       disk    {disk}")
    print(f"       time    {time}")


if __name__ == "__main__":
    main()
