"""Small trainings of any kind, one after the other, to be started as one process or several.

python process_run.py KIND EXP_DIR MAX_STEPS CHECKPOINT_EVERY [key=JSON ...] [-- KIND ...]

KIND is toy, counted, tts, codec or tokenizer.
"""

import json
import logging
import os
import resource
import sys
from pathlib import Path

import torch

from benchmarks.lib.synthetic_batches import speech_batch
from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.discriminators import (
    ComplexStftConfig,
    DiscriminatorsConfig,
    MultiPeriodConfig,
)
from latentspeech.codec.task import CodecLossConfig, CodecTask
from latentspeech.core.errors import DataError
from latentspeech.core.lm import loss
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.optim import OptimizerConfig
from latentspeech.core.train.task import Task
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config
from latentspeech.tts.training.task import TTSTask
from latentvision.tokenizer.discriminator import PatchDiscriminatorConfig
from latentvision.tokenizer.task import (
    TokenizerLossConfig,
    TokenizerOptimConfig,
    TokenizerTask,
    TokenizerTaskConfig,
)
from tests.tiny_models import voice_like
from tests.tiny_tokenizer import random_images, tiny_config
from tests.unit.core.train.toy_task import ToyData, ToyTask, run

BACKBONE = TransformerConfig(
    model_dim=32, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, ffn_dim=64, dropout=0.1
)
LM = latent_lm_config(
    TTSModelConfig(backbone=BACKBONE, head_layers=1, head_ffn_dim=32),
    text_vocab_size=20,
    latent_dim=4,
)
SIDE = ConvNeXtConfig(strides=(4, 5, 5), base_channels=4, depths=(0, 1, 1, 1), layer_scale=0.1)
MAX_LOGITS = loss.MAX_LOGITS
DISCRIMINATORS = DiscriminatorsConfig(
    multi_period=MultiPeriodConfig(periods=(2, 3), channels=(4, 8)),
    complex_stft=ComplexStftConfig(window_lengths=(512,), channels=4),
)


class Speech(ToyData):
    """Packed sequences; an item is a seed."""

    def load(self, indices, seed):
        super().load(indices, seed)
        return speech_batch(
            LM.modalities[SPEECH], 20, [(5 + i % 4, 6 + i % 5) for i in indices], 24
        )


class CountedToy(ToyTask):
    """Its losses are means over the rows of a batch, and it says how many those are."""

    def counts(self, batch, turn):
        return {turn: torch.tensor(len(batch["x"]))}

    def training_step(self, batch, turn, step, generator):
        losses = super().training_step(batch, turn, step, generator)
        metrics = {name: Mean(value, len(batch["x"])) for name, value in losses.metrics.items()}
        return losses._replace(metrics=metrics, logged_as=f"train/{turn}_objective")


class Sounds(ToyData):
    """Audio (B, T); an item is a seed."""

    def load(self, indices, seed):
        super().load(indices, seed)
        return torch.stack([voice_like(0.1, seed=index) for index in indices])


class Images(ToyData):
    """Images (B, 3, S, S); an item is a seed."""

    def load(self, indices, seed):
        super().load(indices, seed)
        return torch.cat([random_images(1, seed=index) for index in indices])


class Broken(ToyData):
    """Cannot read one item."""

    broken_item = -1

    def load(self, indices, seed):
        if self.broken_item in indices:
            raise DataError(f"item {self.broken_item} is corrupt; restore it")
        return super().load(indices, seed)


def make_task(kind: str, extra: dict) -> Task:
    torch.manual_seed(0)
    optimizer = OptimizerConfig(lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01, clip_norm=0.5)
    match kind:
        case "tts":
            settings = optimizer.model_copy(update={"kind": extra.pop("optimizer", "adamw")})
            dropout = {"dropout": extra.pop("dropout", 0.1)}
            lm = LM.model_copy(update={"backbone": BACKBONE.model_copy(update=dropout)})
            return TTSTask(lm, settings, torch.zeros(4), torch.ones(4))
        case "codec":
            codec = CodecConfig(latent_dim=8, encoder=SIDE, decoder=SIDE)
            loss = CodecLossConfig(discriminator_start_step=1)
            return CodecTask(codec, loss, DISCRIMINATORS, optimizer, optimizer)
        case "tokenizer":
            judge = PatchDiscriminatorConfig(channels=4, num_layers=2)
            return TokenizerTask(
                TokenizerTaskConfig(
                    tokenizer=tiny_config(),
                    loss=TokenizerLossConfig(discriminator_start_step=1, discriminator=judge),
                    optim=TokenizerOptimConfig(
                        tokenizer=optimizer, discriminator=optimizer, encoder_layer_decay=0.65
                    ),
                )
            )
    toy = CountedToy if kind == "counted" else ToyTask
    return toy(**{k: extra.pop(k) for k in ("dropout", "noise") if k in extra})


def make_data(kind: str, extra: dict) -> ToyData:
    names = ("num_items", "batch_size", "sleep_s", "bad_item", "shuffle")
    settings = {name: extra.pop(name) for name in names if name in extra}
    kinds = {"toy": Broken, "counted": ToyData, "tts": Speech, "codec": Sounds, "tokenizer": Images}
    data = kinds[kind](**settings)
    data.items_log = extra.pop("items_log", None)
    data.broken_item = extra.pop("broken_item", -1)
    return data


def run_one(kind: str, folder: str, steps: str, every: str, *settings: str) -> str:
    """Trains as the words of a command line say; returns why it ended."""
    Path(f"{folder}.pid.{os.environ.get('RANK', '0')}").write_text(str(os.getpid()))
    extra = {key: json.loads(value) for key, value in (word.split("=", 1) for word in settings)}
    loss.MAX_LOGITS = extra.pop("max_logits", MAX_LOGITS)
    limit = extra.pop("file_limit_bytes", None)
    if limit is not None and os.environ.get("RANK", "0") == "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    result = run(
        Path(folder),
        int(steps),
        task=make_task(kind, extra),
        data=make_data(kind, extra),
        checkpoint_every=int(every),
        # Five batches: two processes have unlike shares of them.
        validate_data=make_data(kind, {"num_items": 20}),
        **extra,
    )
    return result.reason


def split(words: list[str]) -> list[list[str]]:
    """The words between each two "--"."""
    ends = [place for place, word in enumerate([*words, "--"]) if word == "--"]
    return [words[a:b] for a, b in zip([0, *(end + 1 for end in ends)], ends, strict=False)]


def main(words: list[str]) -> int:
    """Runs what a command line says; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    torch.set_num_threads(1)
    try:
        for one in split(words):
            sys.stdout.write(run_one(*one) + "\n")
    except ValueError as error:  # as the command line does it
        sys.stderr.write(f"rank {os.environ.get('RANK', '0')}, {type(error).__name__}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
