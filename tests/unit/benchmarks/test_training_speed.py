"""The training benchmark: FLOPs as torch counts them, budgets of the paper, debug configs run."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import training_speed
from benchmarks.lib.synthetic_batches import speech_batch
from benchmarks.lib.training_flops import SpeechSizes, tts_flops
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config

CONF = Path(__file__).parents[3] / "egs" / "libriheavy" / "conf"


def test_flops_from_sizes_are_those_that_torch_counts() -> None:
    """But for attention, which torch does not count on a CPU."""
    backbone = TransformerConfig(
        model_dim=64, num_layers=2, num_heads=4, num_kv_heads=4, head_dim=16, ffn_dim=128
    )
    model = TTSModelConfig(backbone=backbone, head_layers=2, head_ffn_dim=96)
    config = latent_lm_config(model, text_vocab_size=30, latent_dim=8)
    utterances, tokens, latents = 3, 5, 40
    batch = speech_batch(
        config.modalities[SPEECH], 30, [(tokens, latents)] * utterances, max_length=None
    )
    lm = LatentLM(config)
    with FlopCounterMode(display=False) as counter:
        latent_lm_loss(lm, batch, torch.Generator().manual_seed(0)).total.backward()
    elements = tokens + latents + 2
    ours = tts_flops(config, SpeechSizes(utterances, elements, latents, decisions=latents))
    attention = 6 * utterances * 2 * elements**2 * 64
    # Latents, noisy latents and times need no gradient; torch leaves those products out.
    saved = 2 * utterances * latents * 64 * (8 + 4 * 8 + 4 * 256)
    assert counter.get_total_flops() == ours - attention - saved


def run(*arguments: str) -> dict:
    found = training_speed.main(list(arguments))
    return json.loads(json.dumps(found))


def test_budget_of_the_papers_tts() -> None:
    found = run("tts", str(CONF / "tts_1600x.yaml"), "--device", "meta", "--gpu", "h200")
    budget = found["budget"]
    assert budget["parameters_m"]["backbone"] == pytest.approx(302.0, rel=0.01)
    assert budget["tokens_a_step"] == 88 * 225
    # 6 FLOPs a weight and element in the backbone, the head for each of four draws beside it.
    assert budget["tflops_a_step"] > 6 * 302e6 * budget["elements"] / 1e12
    expected = 0.45 * 989.4e12 * budget["tokens_a_step"] / (1e12 * budget["tflops_a_step"])
    assert budget["tokens_a_second_at_45_percent_mfu"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_budget_of_the_papers_codec() -> None:
    found = run("codec", str(CONF / "codec_1600x.yaml"), "--device", "meta")
    parts = found["budget"]["parameters_m"]
    assert parts["encoder"] == pytest.approx(120, rel=0.01)
    assert parts["decoder"] == pytest.approx(120, rel=0.01)
    assert found["budget"]["tokens_a_step"] == 12 * 30


@pytest.mark.parametrize("kind", ["tts", pytest.param("codec", marks=pytest.mark.slow)])
def test_debug_config_runs_on_a_cpu(kind: str) -> None:
    settings = ["--set", "data.batch_size=1"] if kind == "codec" else []
    found = run(
        kind, str(CONF / f"{kind}_debug.yaml"), "--device", "cpu", "--modes", "eager",
        "--steps", "2", "--peak-tflops", "0.1", *settings,
    )  # fmt: skip
    (row,) = found["rows"]
    flops = 1e12 * found["budget"]["tflops_a_step"]
    assert row["mfu"] == pytest.approx(flops / (row["step_s"] * 0.1e12), rel=0.02)
    tokens = found["budget"]["tokens_a_step"]
    assert row["tokens_a_second"] == pytest.approx(tokens / row["step_s"], rel=0.02)
    assert math.isfinite(row["last_loss"])
    assert row["last_loss"] != row["first_loss"]
    assert found["compiled_over_eager_speed"] is None
    assert found["hardware"]["cpu"]
