"""A TTS model directory with random weights that speaks noise in milliseconds, for tests."""

from pathlib import Path

import torch

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import save_codec
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.text.tokenizers import CharacterTokenizer, CharacterTokenizerConfig
from latentspeech.text.tokenizers.protocol import Case
from latentspeech.tts.model import LayoutKind, TTSModelConfig, latent_lm_config
from latentspeech.tts.model_directory import save_tts

CARD = "# tiny\n\nRandom weights, for tests.\n"
SIDE = ConvNeXtConfig(strides=(4, 20, 20), base_channels=2, depths=(0, 1, 1, 1), layer_scale=0.5)
CODEC = CodecConfig(latent_dim=4, encoder=SIDE, decoder=SIDE)
MODEL = TTSModelConfig(
    backbone=TransformerConfig(
        model_dim=16, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=4, ffn_dim=32
    ),
    head_layers=1,
    head_ffn_dim=32,
)
SAMPLING = SamplingConfig(cfg_scale=2.0, num_steps=3, noise_scale=0.3)


def make_model_directory(
    directory: Path,
    layout: LayoutKind = "sentence",
    max_prompt_s: float | None = None,
    case: Case = "keep",
) -> Path:
    """Writes `directory`/model; returns it."""
    torch.manual_seed(0)
    codec_dir, tokenizer_dir = directory / "codec", directory / "tokenizer"
    codec_dir.mkdir()
    tokenizer_dir.mkdir()
    save_codec(Codec(CODEC), codec_dir, CARD)
    tokenizer = CharacterTokenizer(CharacterTokenizerConfig(case=case))
    tokenizer.save(tokenizer_dir)
    sizes = MODEL.model_copy(update={"layout": layout})
    lm = LatentLM(
        latent_lm_config(sizes, tokenizer.vocab_size, CODEC.latent_dim, max_prompt_s, SAMPLING)
    )
    for parameter in lm.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_tts(lm, tokenizer_dir, codec_dir, directory / "model", CARD)
    return directory / "model"


def voice_like(seconds: float, sample_rate: int = 24_000, seed: int = 0) -> torch.Tensor:
    """A gliding tone and noise in the rhythm of syllables, (T,)."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(int(seconds * sample_rate)) / sample_rate
    envelope = (2 * torch.pi * 4 * t).sin().clamp(min=0.05)
    glide = 140 * t + 8 * (1 - (2 * torch.pi * 0.8 * t).cos())
    tone = (2 * torch.pi * glide).sin() + 0.3 * torch.randn(len(t), generator=generator)
    return 0.2 * envelope * tone
