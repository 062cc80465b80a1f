"""LatentLM and Transfusion learn to name four colours and to draw them, from fresh weights."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from latentspeech.core.config import parse_config
from latentspeech.core.latents.config import SigmaVAEConfig
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.tokens.byte_bpe import ByteBPE
from latentvision.tokenizer.model import Tokenizer, TokenizerConfig
from latentvision.tokenizer.model_directory import save_tokenizer
from latentvision.training.mllm_run import PageRunConfig, run_pages
from latentvision.training.pack_mllm import pack_page_model
from tests.tiny_page_models import CONFIGS
from tests.tiny_pages import write_lines
from tests.tiny_tokenizer import SIDE

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (240,) * 3}
STEPS = 100


def make_tokenizer(folder: Path) -> Path:
    """A tokenizer of random weights whose latents of the colours are far apart."""
    posterior = SigmaVAEConfig(kind="fixed", sigma_std=0.05)
    config = TokenizerConfig(
        image_size=16, patch_size=8, latent_dim=4, encoder=SIDE, decoder=SIDE, posterior=posterior
    )
    torch.manual_seed(0)
    tokenizer = Tokenizer(config)
    torch.nn.init.normal_(tokenizer.encoder.head.weight, std=0.3)
    folder.mkdir()
    save_tokenizer(tokenizer, folder, "# colours\n")
    return folder


def colour_run(folder: Path, kind: str) -> PageRunConfig:
    pictures = folder / "pictures"
    pictures.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (16, 16), colour).save(pictures / f"{name}.png")
    rows = [{"picture": f"{name}.png", "caption": name} for name in COLOURS] * 10
    ByteBPE.train([" ".join(COLOURS)] * 9, 270).save(folder / "bpe.json")
    pages = {
        "kind": "jsonl",
        "location": str(write_lines(folder / "pairs", rows)),
        "pictures": pictures,
    }
    model = CONFIGS[kind].model_dump()
    model["backbone"] |= {"model_dim": 64, "head_dim": 32, "ffn_dim": 128}
    values = {
        "exp_dir": folder / "exp",
        "picture_tokenizer_dir": make_tokenizer(folder / "tokenizer"),
        "text_tokenizer": {"kind": "byte_bpe", "path": folder / "bpe.json"},
        "model": model,
        "data": {
            "train_sources": [{"pages": pages}],
            "valid_sources": [pages],
            "batch_elements": 200,
            "row_length": 50,
            "num_windows": 2,
            "statistics_pictures": 8,
            "max_valid": 4,
        },
        "optimizer": {"lr": 4e-3, "betas": (0.9, 0.98), "warmup_steps": 20},
        "sampling": {"num_steps": 10, "cfg_scale": 1.5},
        "train": {"max_steps": STEPS, "checkpoint_every": STEPS, "ema_decay": 0.95},
    }
    return parse_config(PageRunConfig, values)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["latent_lm", "transfusion"])
def test_colours(tmp_path: Path, kind: str) -> None:
    run = colour_run(tmp_path, kind)
    run_pages(run)
    pack_page_model(run.exp_dir, tmp_path / "model")
    writer = PageWriter.from_directory(tmp_path / "model")
    files = [tmp_path / "pictures" / f"{name}.png" for name in COLOURS]
    assert writer.captions(files, max_tokens=6) == list(COLOURS)
    encoder = writer.sequences.encoder
    shown = [encoder.shrink(Image.open(file)) for file in files]
    colours = encoder.encode(shown, torch.Generator().manual_seed(0))[:, None]  # (4, 1, N, D)
    right = 0
    for place, name in enumerate(COLOURS):
        generators = [torch.Generator().manual_seed(seed) for seed in range(4)]
        pages = [writer.before_picture(name)] * 4
        drawn = writer.model.draw(pages, writer.blank, writer.sampling(), generators)
        distance = (drawn - colours).flatten(2).norm(dim=2)  # (4 colours, 4 pictures)
        right += int((distance.argmin(0) == place).sum())
    assert right >= 14  # of 16; chance is 4
