"""Measures the data loaders: time and memory to the first batch, and rates compared with a GPU's.

    python -m benchmarks.data_loading                     1,000,000 cuts, 100,000 utterances
    python -m benchmarks.data_loading --cuts 2000 --utterances 1500 --seconds 1      as CI does

It writes a manifest like Libriheavy's with lhotse and latent shards of the paper's 7.5 Hz model
into a temporary folder, then measures each in a new process. The rate that one H200 needs is
computed, not measured (`h200_elements_per_s`).
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from lhotse import AudioSource, CutSet, MonoCut, Recording, SupervisionSegment

from benchmarks.lib.hardware import describe
from latentspeech.core.data.latent_format import LatentMeta
from latentspeech.core.data.latent_shards import LatentShards, LatentShardWriter
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.core.train.batches import Plan, load_batches
from latentspeech.data.audio_segments import AudioSegmentConfig, AudioSegments
from latentspeech.data.speech_latents import frame_rate_of, speech_item
from latentspeech.text.tokenizers import BPETokenizer, BPETokenizerConfig, load_tokenizer
from latentspeech.tts.layouts.layout import ConditioningConfig
from latentspeech.tts.layouts.sentence import SentenceLayout
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config
from latentspeech.tts.training.training_data import TTSDataConfig, TTSTrainingData

WORKERS = 2
CPU = torch.device("cpu")
H200_FLOPS = 989e12  # bf16, dense, from NVIDIA's data sheet
GOAL_UTILISATION = 0.45
NUM_NOISE_DRAWS = 4
LATENT_DIM, HOP_LENGTH, SAMPLE_RATE = 64, 3200, 24_000
SHARD_SIZE = 1000
BOOK = (
    "the sea fairies were swimming about in their cool green palaces beneath waves when old "
    "Captain sat down upon sand and told how he had lost his leg what mermaids said of it to "
    "nobody particular while moon rose over quiet harbour with lanterns like stars"
)
WORDS = BOOK.split()


def sentence(draw: random.Random, words: int) -> str:
    """Draws a sentence whose words have about as many letters as those of a book."""
    return " ".join(draw.choices(WORDS, k=words)).capitalize() + "."


def write_manifest(path: Path, num_cuts: int) -> None:
    """Writes cuts like Libriheavy's: pieces of long recordings, two texts and the texts before."""
    draw = random.Random(0)
    recordings = [_recording(path.parent, number) for number in range(4)]

    def cuts() -> Iterator[MonoCut]:
        context = sentence(draw, 160)
        for number in range(num_cuts):
            recording = recordings[number % len(recordings)]
            duration = round(min(30.8, max(2.0, draw.gauss(14.8, 7.0))), 3)
            name = f"{recording.id}_{number}"
            text = sentence(draw, round(2.6 * duration))
            spoken = SupervisionSegment(
                id=name,
                recording_id=recording.id,
                start=0,
                duration=duration,
                language="English",
                speaker=str(number // 2000),
                text=text,
                custom={"texts": [text, text.upper()], "pre_texts": [context, context.upper()]},
            )
            start = round(draw.uniform(0, recording.duration - duration), 3)
            yield MonoCut(name, start, duration, 0, supervisions=[spoken], recording=recording)

    CutSet(cuts()).to_file(path)


def _recording(folder: Path, number: int) -> Recording:
    name = f"small/100/sea_fairies_0812_librivox_64kb_mp3/{number:02d}_baum_sea_fairies_64kb"
    path = folder / "audio" / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    noise = np.convolve(rng.standard_normal(120 * 16_000), np.ones(8) / 30, mode="same")
    soundfile.write(path, noise, 16_000)
    source = AudioSource("file", [0], str(path))
    return Recording(name, [source], 16_000, len(noise), len(noise) / 16_000)


def write_latents(folder: Path, num_utterances: int) -> None:
    """Writes shards of random means at 7.5 Hz with 64 channels, and a tokenizer beside them."""
    draw, generator = random.Random(1), torch.Generator().manual_seed(0)
    meta = LatentMeta(
        vae_hash="benchmark",
        source_hash="benchmark",
        latent_dim=LATENT_DIM,
        modality={"sample_rate": SAMPLE_RATE, "hop_length": HOP_LENGTH},
        posterior_kind="per_example",
        sigma_std=0.625,
        shard_size=SHARD_SIZE,
        num_items=num_utterances,
        remake_command="python -m benchmarks.data_loading",
    )
    writer = LatentShardWriter(folder / "latents", meta)
    for shard in range(meta.num_shards):
        items = []
        for place in range(meta.shard_length(shard)):
            number = shard * SHARD_SIZE + place
            duration = min(30.8, max(2.0, draw.gauss(14.8, 7.0)))
            frames = round(duration * frame_rate_of(meta))
            text = sentence(draw, round(2.6 * duration))
            items.append(speech_item(f"u{number}", str(number // 700), text, frames, duration))
        writer.write(
            shard,
            items,
            {x.id: torch.randn(x.num_latents, LATENT_DIM, generator=generator) for x in items},
        )
    texts = [sentence(draw, 40) for _ in range(500)]
    (folder / "tokenizer").mkdir()
    BPETokenizer.train(texts, BPETokenizerConfig(vocab_size=200).vocab_size).save(
        folder / "tokenizer"
    )


def first_audio_batch(cuts: Path) -> dict[str, Any]:
    """Measures opening a manifest and loading its first batch of segments by two processes."""
    started = time.monotonic()
    config = AudioSegmentConfig(max_cache_bytes=0, batch_size=16)
    data = AudioSegments(cuts, config, SAMPLE_RATE, seed=0)
    opened_s = time.monotonic() - started
    batches = load_batches(data, Plan(data, 0), WORKERS, CPU)
    next(batches)
    first_s = time.monotonic() - started
    return {
        "cuts": sum(len(data.corpus.shard(number)) for number in range(data.corpus.num_shards)),
        "open_s": round(opened_s, 2),
        "first_batch_s": round(first_s, 2),
        "cpu_s": round(_cpu_s(), 2),
        "windows": data.num_windows(),
        **_memory(),
    }


def latent_rates(folder: Path, seconds: float, packing: bool) -> dict[str, Any]:
    """Measures the rates of two loader processes after the first batch, and their CPU time."""
    data = make_training_data(folder, packing)
    _make_token_ids(data)
    started = time.monotonic()
    batches = load_batches(data, Plan(data, 0), WORKERS, CPU)
    next(batches)
    first_s = time.monotonic() - started
    counts = _Counts()
    until = time.monotonic() + seconds
    began, cpu_began = time.monotonic(), _cpu_s()
    while time.monotonic() < until:
        planned, batch = next(batches)
        counts.add(len(planned.items), batch.kinds)
    return {
        "first_batch_s": round(first_s, 2),
        **counts.rates(time.monotonic() - began, _cpu_s() - cpu_began),
        **_memory(),
    }


class _Counts:
    """Counts of what was loaded."""

    def __init__(self) -> None:
        self.items = self.latents = self.tokens = self.places = 0

    def add(self, items: int, kinds: torch.Tensor) -> None:
        self.items += items
        self.latents += int((kinds > TOKEN).sum())
        self.tokens += int((kinds == TOKEN).sum())
        self.places += kinds.numel()

    def rates(self, wall_s: float, cpu_s: float) -> dict[str, Any]:
        elements = self.latents + self.tokens
        return {
            "utterances_per_s": round(self.items / wall_s),
            "latents_per_s": round(self.latents / wall_s),
            "tokens_per_s": round(self.tokens / wall_s),
            "cpu_cores_used": round(cpu_s / wall_s, 2),
            "padding_share": round(1 - elements / self.places, 4),
            "tokens_per_latent": round(self.tokens / self.latents, 3),
        }


def make_training_data(folder: Path, packing: bool) -> TTSTrainingData:
    """Makes batches of 20,000 latents as for the paper's 7.5 Hz model."""
    tokenizer = load_tokenizer(folder / "tokenizer")
    return TTSTrainingData(
        LatentShards(folder / "latents"),
        tokenizer,
        SentenceLayout(paper_model(tokenizer.vocab_size).modalities[SPEECH]),
        SigmaVAEConfig(sigma_std=0.625),
        ConditioningConfig(),
        TTSDataConfig(max_total_latents=20_000, max_batch_size=512, packing=packing),
        seed=0,
    )


def paper_model(vocab_size: int) -> LatentLMConfig:
    """Returns the paper's model: a backbone of 302M parameters and a head of three layers."""
    return latent_lm_config(TTSModelConfig(), vocab_size, LATENT_DIM)


def h200_elements_per_s(vocab_size: int, tokens_per_latent: float) -> dict[str, float]:
    """Computes the latents and tokens per second that one H200 trains on at our utilisation goal.

    It counts 6 FLOP for each parameter and element (forward and backward): the backbone for every
    element, the diffusion head four times for every latent. The products inside attention are not
    counted, so a real GPU needs fewer latents.
    """
    with torch.device("meta"):
        model = LatentLM(paper_model(vocab_size))
    head = sum(p.numel() for p in model.diffusion(SPEECH).parameters())
    backbone = sum(p.numel() for p in model.backbone.parameters())
    per_latent = 6 * (backbone * (1 + tokens_per_latent) + NUM_NOISE_DRAWS * head)
    latents = H200_FLOPS * GOAL_UTILISATION / per_latent
    return {
        "backbone_parameters": backbone,
        "head_parameters": head,
        "latents_per_s": round(latents),
        "tokens_per_s": round(latents * tokens_per_latent),
    }


def plain_reading(folder: Path) -> dict[str, float]:
    """Measures how fast Python reads the files of the shards from start to end."""
    began, size = time.monotonic(), 0
    for path in sorted((folder / "latents").glob("latents-*")):
        with path.open("rb") as file:
            while chunk := file.read(2**22):
                size += len(chunk)
    seconds = time.monotonic() - began
    shards = LatentShards(folder / "latents")
    num_latents = sum(x.num_latents for s in shards.shards for x in shards.items(s))
    return {
        "mb_per_s": round(size / seconds / 1e6),
        "latents_per_s": round(num_latents / seconds),
        "bytes_per_latent": round(size / num_latents, 1),
    }


def _make_token_ids(data: TTSTrainingData) -> None:
    """Tokenizes all texts, which otherwise the first epoch does once for all others."""
    for shard in data.shards.shards:
        data.texts[shard * SHARD_SIZE]


def _cpu_s() -> float:
    """Returns the seconds of CPU time of this process and its living children."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = time.process_time()
    for process in _children():
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def _children() -> list[int]:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(name) for name in path.read_text().split()]


def _memory() -> dict[str, float]:
    """Returns this process's peak, the loaders' largest peak, and the current use of all together.

    Peaks and `all_processes_mb` include mapped files, which the system drops when memory is short;
    `all_but_files_mb` does not. The two sums count pages that processes share once.
    """

    def field(process: int | str, file: str, name: str) -> int:
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))

    processes: list[int | str] = ["self", *_children()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "peak_mb": round(peak / 1024),
        "peak_loader_mb": round(
            max((field(p, "status", "VmHWM") for p in processes[1:]), default=0) / 1024
        ),
        "all_but_files_mb": round(
            sum(field(p, "smaps_rollup", "Pss_Anon:") for p in processes) / 1024
        ),
        "all_processes_mb": round(sum(field(p, "smaps_rollup", "Pss:") for p in processes) / 1024),
    }


def _in_fresh_process(part: str, *arguments: object) -> dict[str, Any]:
    """Runs a part of the measurement in a new process, so that memory of others is not counted."""
    command = [sys.executable, "-m", "benchmarks.data_loading", "--part", part]
    done = subprocess.run(
        [*command, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    )
    values: dict[str, Any] = json.loads(done.stdout)
    return values


def measure(folder: Path, num_cuts: int, num_utterances: int, seconds: float) -> dict[str, Any]:
    """Writes the corpus and runs all measurements."""
    cuts = folder / "libriheavy_cuts.jsonl.gz"
    write_manifest(cuts, num_cuts)
    write_latents(folder, num_utterances)
    again = ("--folder", folder, "--seconds", seconds)
    audio = {name: _in_fresh_process("audio", *again) for name in ("first_time", "later")}
    rates = {name: _in_fresh_process(name, *again) for name in ("padded", "packed")}
    plain = plain_reading(folder)
    vocab_size = load_tokenizer(folder / "tokenizer").vocab_size
    for row in rates.values():
        h200 = h200_elements_per_s(vocab_size, row["tokens_per_latent"])
        row["x_h200"] = round(row["latents_per_s"] / h200["latents_per_s"], 2)
        row["x_h200_two_free_cores"] = round(row["x_h200"] * WORKERS / row["cpu_cores_used"], 2)
        row["of_plain_reading"] = round(row["latents_per_s"] / plain["latents_per_s"], 3)
        row["h200"] = h200
    return {
        "hardware": describe(),
        "load_average": os.getloadavg()[0],
        "manifest_mb": round(cuts.stat().st_size / 1e6, 1),
        "audio": audio,
        "plain_reading": plain,
        "latents": rates,
    }


def main() -> None:
    """Runs the command line and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=1_000_000)
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="write the corpus to this folder and keep it")
    parser.add_argument("--part", choices=["audio", "padded", "packed"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "audio": lambda: first_audio_batch(arguments.folder / "libriheavy_cuts.jsonl.gz"),
        "padded": lambda: latent_rates(arguments.folder, arguments.seconds, packing=False),
        "packed": lambda: latent_rates(arguments.folder, arguments.seconds, packing=True),
    }
    if arguments.part:
        print(json.dumps(parts[arguments.part]()))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            arguments.folder or Path(folder),
            arguments.cuts,
            arguments.utterances,
            arguments.seconds,
        )
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
