"""The TTS path learns to read: text it has never seen comes out as the right latents, and stops.

Speech here is a made-up language: every character lasts two frames, each a fixed vector of that
character plus an offset that is the speaker's, so both the text and the prompt must be used.
"""

import pytest
import torch
from torch import Tensor

from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import sample_posterior
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.lm.mixed_batch import collate
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import generate
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.tts.layouts.layout import (
    ConditioningConfig,
    SpokenText,
    unconditional_prompt,
)
from latentspeech.tts.layouts.sentence import SentenceLayout
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config

NUM_CHARACTERS, FRAMES, SIZE = 5, 2, 4
STEPS, BATCH = 1400, 24
CONDITIONING = ConditioningConfig(drop_condition=0.1, drop_prompt=0.0, drop_prompt_text=0.3)

pytestmark = pytest.mark.slow


def spoken(text: Tensor, codes: Tensor, speaker: Tensor) -> Tensor:
    """Means (2 n, D) of a text (n,) in a speaker's voice (D,)."""
    return codes[text].repeat_interleave(FRAMES, dim=0) + speaker


def random_text(generator: torch.Generator) -> Tensor:
    length = int(torch.randint(2, 5, (), generator=generator))
    return torch.randint(NUM_CHARACTERS, (length,), generator=generator)


def train(model: LatentLM, codes: Tensor, generator: torch.Generator) -> None:
    layout = SentenceLayout(model.config.modalities[SPEECH])
    posterior = SigmaVAEConfig(sigma_std=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        sequences = []
        for _ in range(BATCH):
            speaker = torch.randn(SIZE, generator=generator)
            pair = []
            for _ in range(2):
                text = random_text(generator)
                mu = spoken(text, codes, speaker)[None]
                z = sample_posterior(posterior, mu, generator)[0]
                pair.append(SpokenText(text.tolist(), z))
            sequences.append(
                layout.training_sequence(pair[0], None, pair[1], CONDITIONING, generator)
            )
        loss = latent_lm_loss(model, collate(sequences, (SIZE,)), generator).total
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def test_unseen_text_is_read_in_the_voice_of_the_prompt() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    codes = 2.5 * torch.randn(NUM_CHARACTERS, SIZE, generator=generator)
    backbone = TransformerConfig(
        model_dim=96, num_layers=3, num_heads=4, num_kv_heads=4, head_dim=24, ffn_dim=192
    )
    sizes = TTSModelConfig(backbone=backbone, head_layers=2, head_ffn_dim=192)
    model = LatentLM(latent_lm_config(sizes, NUM_CHARACTERS, SIZE))
    model.set_statistics(SPEECH, torch.zeros(SIZE), torch.full((SIZE,), 2.7))
    train(model.train(), codes, generator)

    model.eval()
    speech = model.config.modalities[SPEECH]
    fresh = torch.Generator().manual_seed(99)
    texts = [random_text(fresh) for _ in range(24)]
    speakers = torch.randn(24, SIZE, generator=fresh)
    prompts = []
    for text, speaker in zip(texts, speakers, strict=True):
        heard = random_text(fresh)
        voice = SpokenText(heard.tolist(), spoken(heard, codes, speaker))
        prompts.append(SentenceLayout(speech).prompt(text.tolist(), voice))
    written: list[list[Tensor]] = [[] for _ in texts]
    steps = generate(
        TorchRuntime(model),
        prompts,
        SamplingConfig(cfg_scale=1.5, num_steps=8),
        [GenerationLimits(max_elements=30, end_ids=frozenset({speech.eod_id}))] * 24,
        [torch.Generator().manual_seed(i) for i in range(24)],
        [unconditional_prompt(speech)] * 24,
    )
    for step in steps:
        for row, element in enumerate(step):
            if element is not None and element.latent is not None:
                written[row].append(element.latent)

    wrong, total, off_voice = 0, 0, 0.0
    for text, speaker, latents in zip(texts, speakers, written, strict=True):
        expected = text.repeat_interleave(FRAMES)
        total += len(expected)
        frames = torch.stack(latents)
        common = min(len(frames), len(expected))
        read = torch.cdist(frames - speaker, codes).argmin(dim=1)
        wrong += int((read[:common] != expected[:common]).sum())
        wrong += abs(len(frames) - len(expected))
        off_voice += float((frames[:common] - codes[expected[:common]] - speaker).square().mean())
    # Chance is 0.8.
    assert wrong / total < 0.2, f"{wrong} of {total} frames are misread, missing or too many"
    # Ignoring the prompt would leave the speakers' variance of 1.
    assert off_voice / len(texts) < 0.5
