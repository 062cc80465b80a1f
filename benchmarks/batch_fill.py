"""Measures the share of padding in padded and in packed batches of a corpus; reads only its cuts.

    python -m benchmarks.batch_fill --cuts egs/mini/data/cuts_train.jsonl.gz

Lengths, speakers and texts come from the corpus; latents are zeros, since their values do not
matter.
"""

import argparse
import json
import math
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch

from latentspeech.core.data.latent_format import LatentMeta
from latentspeech.core.data.latent_shards import LatentShards, LatentShardWriter
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.lm.mixed_batch import PADDING
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.core.train.batches import Plan
from latentspeech.data.cut_index import CutIndex
from latentspeech.data.speech_latents import frame_rate_of, speech_item
from latentspeech.text.tokenizers import BPETokenizer
from latentspeech.tts.layouts.layout import ConditioningConfig
from latentspeech.tts.layouts.sentence import SentenceLayout
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config
from latentspeech.tts.training.training_data import TTSDataConfig, TTSTrainingData

SAMPLE_RATE, LATENT_DIM = 24_000, 2


class BatchFill(NamedTuple):
    """Counts over several batches."""

    batches: int
    utterances: int
    latents: int
    """Number of latents, prompts included."""
    elements: int
    """Number of latents and tokens."""
    places: int
    """Number of elements and padding positions."""

    @property
    def padding_share(self) -> float:
        """The share of padding among all places; 0 means no padding."""
        return 1 - self.elements / self.places


def measure_fill(data: TTSTrainingData, num_batches: int) -> BatchFill:
    """Loads the first batches of a training run and counts their contents."""
    total = BatchFill(0, 0, 0, 0, 0)
    for planned in islice(Plan(data, data.seed), num_batches):
        kinds = data.load(planned.items, planned.seed).kinds
        one = (
            1,
            len(planned.items),
            int((kinds > TOKEN).sum()),
            int((kinds != PADDING).sum()),
            kinds.numel(),
        )
        total = BatchFill(*(a + b for a, b in zip(total, one, strict=True)))
    return total


def write_lengths(cuts: CutIndex, folder: Path, hop_length: int) -> None:
    """Writes shards of zeros, with as many latents for each cut as its duration has frames."""
    meta = LatentMeta(
        vae_hash="none",
        source_hash=cuts.cuts_hash,
        latent_dim=LATENT_DIM,
        modality={"sample_rate": SAMPLE_RATE, "hop_length": hop_length},
        posterior_kind="per_example",
        sigma_std=0.625,
        shard_size=200,
        num_items=len(cuts),
        remake_command="python -m benchmarks.batch_fill",
    )
    writer = LatentShardWriter(folder, meta)
    for shard in range(meta.num_shards):
        items = [
            speech_item(
                cut.id,
                cut.speaker,
                cut.text,
                math.ceil(cut.duration_s * frame_rate_of(meta)),
                cut.duration_s,
            )
            for cut in cuts[shard * meta.shard_size : (shard + 1) * meta.shard_size]
        ]
        latents = {item.id: torch.zeros(item.num_latents, LATENT_DIM) for item in items}
        writer.write(shard, items, latents)


def measure(cuts: CutIndex, config: TTSDataConfig, hop_length: int, batches: int) -> dict[str, Any]:
    """Measures padded and packed batches with otherwise equal settings."""
    texts = [cut.text for cut in cuts[:2000]]
    tokenizer = BPETokenizer.train(texts, 200)
    speech = latent_lm_config(TTSModelConfig(), tokenizer.vocab_size, LATENT_DIM).modalities[SPEECH]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        write_lengths(cuts, Path(folder) / "latents", hop_length)
        for name, packing in (("padded", False), ("packed", True)):
            data = TTSTrainingData(
                LatentShards(Path(folder) / "latents"),
                tokenizer,
                SentenceLayout(speech),
                SigmaVAEConfig(sigma_std=0.625),
                ConditioningConfig(),
                config.model_copy(update={"packing": packing}),
                seed=0,
            )
            fill = measure_fill(data, batches)
            found[name] = {**fill._asdict(), "padding_share": round(fill.padding_share, 4)}
    return found


def main() -> None:
    """Runs the command line and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--hop_length", type=int, default=1600, help="samples per latent at 24 kHz")
    parser.add_argument("--max_total_latents", type=int, default=5000)
    parser.add_argument("--max_batch_size", type=int, default=256)
    parser.add_argument("--pack_length", type=int, default=1024)
    parser.add_argument("--batches", type=int, default=40)
    arguments = parser.parse_args()
    config = TTSDataConfig(
        max_total_latents=arguments.max_total_latents,
        max_batch_size=arguments.max_batch_size,
        pack_length=arguments.pack_length,
    )
    with tempfile.TemporaryDirectory() as folder:
        # A copy, so that its index is removed with the folder.
        copy = Path(shutil.copy(arguments.cuts, folder))
        found = measure(CutIndex(copy), config, arguments.hop_length, arguments.batches)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
