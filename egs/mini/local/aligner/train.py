"""Trains the aligner on a corpus whose symbol times are known.

    python -m egs.mini.local.aligner.train --corpus CORPUS --out latentspeech/align/weights

Speakers of sources/test_speakers.txt are left out, so that measure.py can measure on them. Some
frames are made harder: noise is added, high bands are cut off.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from egs.mini.local.sources.terms import held_out_speakers
from latentspeech.align.symbol_aligner import KIND, SymbolAligner, SymbolAlignerConfig
from latentspeech.audio.io import load_audio
from latentspeech.audio.mel import LOG_FLOOR
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.model_directory import write_model
from latentspeech.core.tensors import make_generator
from latentspeech.data.manifest import CorpusUtterance, read_manifest
from latentspeech.text.tokenizers import MisakiTokenizer

logger = logging.getLogger(__name__)

IGNORED = -100
QUIET_LOG10 = 2.0  # below the loudest frame: 40 dB
CHUNK_FRAMES = 192
BATCH_SIZE = 32


def timed_utterances(corpus: Path, test: bool) -> list[tuple[CorpusUtterance, list[int]]]:
    """Utterances of the test speakers or the others whose times fit their text; its token ids."""
    tokenizer = MisakiTokenizer()
    named = held_out_speakers()
    items = [
        item
        for item in read_manifest(corpus)
        if item.symbol_ends_s and (item.speaker in named) == test
    ]
    rows = [(item, tokenizer.encode(item.text)) for item in items]
    chosen = [(item, ids) for item, ids in rows if len(ids) == len(item.symbol_ends_s)]
    if not chosen:
        raise DataError(f"{corpus} has no utterance with times of symbols; make it with kokoro")
    return chosen


def frame_labels(
    aligner: SymbolAligner, mels: Tensor, ids: Sequence[int], ends_s: Sequence[float]
) -> Tensor:
    """The class of each frame (T,); quiet frames at both ends are silence."""
    times = torch.arange(len(mels)) / aligner.config.frame_rate
    place = torch.bucketize(times, torch.tensor(ends_s), right=True).clamp(max=len(ids) - 1)
    labels = torch.tensor(ids)[place]
    level = mels.mean(dim=1)
    quiet = level < level.max() - QUIET_LOG10
    voiced = (~quiet).nonzero()[:, 0]
    frames = torch.arange(len(mels))
    labels[(place == 0) & (frames < voiced[0])] = aligner.silence_id
    labels[(place >= len(ids) - 2) & (frames > voiced[-1])] = aligner.silence_id
    return labels


def make_harder(features: Tensor, generator: torch.Generator) -> Tensor:
    """Adds noise to half of the utterances (B, T, M) and removes high bands of a quarter."""
    batch, _, bands = features.shape
    floor = LOG_FLOOR ** torch.rand(batch, 1, 1, generator=generator)
    noisy = (10**features + floor).log10()
    chosen = torch.rand(batch, 1, 1, generator=generator) < 0.5
    features = torch.where(chosen, noisy, features)
    first = torch.randint(bands // 2, 4 * bands, (batch, 1, 1), generator=generator)
    return features.masked_fill(torch.arange(bands) >= first, 0.0)


def train(corpus: Path, max_seconds: float, seed: int) -> tuple[SymbolAligner, int]:
    """The aligner, and the number of its steps."""
    rows = timed_utterances(corpus, test=False)
    torch.manual_seed(seed)
    aligner = SymbolAligner(SymbolAlignerConfig(vocab_size=MisakiTokenizer().vocab_size))
    features: list[Tensor] = []
    labels: list[Tensor] = []
    for item, ids in rows:
        audio = load_audio(corpus / item.audio, aligner.config.sample_rate)
        mels = aligner.features(audio)
        features.append(mels)
        labels.append(frame_labels(aligner, mels, ids, item.symbol_ends_s))
    counts = torch.bincount(torch.cat(labels), minlength=aligner.silence_id + 1) + 1.0
    aligner.log_prior.copy_((counts / counts.sum()).log())
    logger.info("%d utterances, %.0f frames", len(rows), counts.sum())
    generator = make_generator(seed, "train aligner")
    optimizer = torch.optim.AdamW(aligner.parameters(), lr=2e-3, weight_decay=0.01)
    started, step = time.monotonic(), 0
    while (spent := (time.monotonic() - started) / max_seconds) < 1:
        optimizer.param_groups[0]["lr"] = 2e-3 * min(1, (step + 1) / 100) * (1.02 - spent)
        x, y = _draw(features, labels, generator)
        logits = aligner(make_harder(x, generator))
        loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 200 == 0:
            right = (logits.argmax(-1) == y)[y != IGNORED].float().mean()
            logger.info("step %d: loss %.3f, %.3f of frames right", step, loss.item(), right)
    return aligner.eval(), step


def _draw(
    features: Sequence[Tensor], labels: Sequence[Tensor], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    rows = torch.randint(len(features), (BATCH_SIZE,), generator=generator).tolist()
    x = torch.zeros(BATCH_SIZE, CHUNK_FRAMES, features[0].shape[1])
    y = torch.full((BATCH_SIZE, CHUNK_FRAMES), IGNORED)
    for place, row in enumerate(rows):
        room = max(1, len(features[row]) - CHUNK_FRAMES)
        start = int(torch.randint(room, (1,), generator=generator))
        part = features[row][start : start + CHUNK_FRAMES]
        x[place, : len(part)] = part
        y[place, : len(part)] = labels[row][start : start + CHUNK_FRAMES]
    return x, y


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="existing or new folder")
    parser.add_argument("--max_seconds", type=float, default=600, help="of training")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    aligner, steps = train(arguments.corpus, arguments.max_seconds, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    card = (
        "# Symbol aligner\n\nFinds when each phoneme of a known text is heard "
        "(docs/fine_tuning.md has its errors).\n\n"
        f"{sum(p.numel() for p in aligner.parameters())} parameters, {steps} steps of "
        "`egs/mini/local/aligner/train.py` on voices of Kokoro-82M (Apache-2.0), mixtures and "
        "WORLD copies of them, as made by `egs/mini/local/corpus/make.py`; no recording of a "
        "person. These weights are under the Apache License 2.0.\n"
    )
    write_model(arguments.out, KIND, aligner.config, aligner, card)


if __name__ == "__main__":
    run_recipe(main)
