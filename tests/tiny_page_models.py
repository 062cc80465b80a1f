"""Models of pages of every kind, and runs of them on a few pages, for tests."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from latentspeech.core.config import parse_config
from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionLossConfig
from latentvision.mllm.models.build import PageModelConfig, build_page_model, space_of
from latentvision.mllm.models.code_lm import CodeLMConfig
from latentvision.mllm.models.page_model import PageModel
from latentvision.mllm.models.transfusion import TransfusionConfig
from latentvision.mllm.pictures import CodeEncoder
from latentvision.mllm.sequence import PageSequences
from latentvision.mllm.tokens.byte_bpe import ByteBPE
from latentvision.training.mllm_run import PageRunConfig, run_pages
from tests.tiny_multimodal import TINY
from tests.tiny_pages import make_pictures, write_lines
from tests.tiny_tokenizer import make_tokenizer, make_tokenizer_directory

ONE_DRAW = DiffusionConfig(loss=DiffusionLossConfig(num_noise_draws=1))
CONFIGS: dict[str, PageModelConfig] = {
    "latent_lm": TINY,
    "transfusion": TransfusionConfig(backbone=TINY.backbone, head_layers=2, head_ffn_dim=48),
    "vq": CodeLMConfig(backbone=TINY.backbone),
}
KINDS = tuple(CONFIGS)


def sequences_of(kind: str, sequences: PageSequences) -> PageSequences:
    """The same text tokenizer, with codes if the kind needs them."""
    if kind != "vq":
        return sequences
    return PageSequences(sequences.tokenizer, CodeEncoder(make_tokenizer("vq")))


def model_of(kind: str, sequences: PageSequences, seed: int = 0) -> PageModel:
    """A model in float64 with random weights everywhere: fresh zeros would hide mistakes."""
    torch.manual_seed(seed)
    space = space_of(sequences.encoder)
    model = build_page_model(sequences.tokenizer.size, space, CONFIGS[kind])
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.double().eval()


def page_rows(folder: Path) -> dict[str, Path]:
    """Folders of text, pairs and interleaved pages, by name."""
    rows: dict[str, list[dict[str, Any]]] = {
        "text": [{"text": f"the cat {n} sat on the mat"} for n in range(12)],
        "pairs": [{"picture": f"{n % 4}.png", "caption": f"the cat {n}"} for n in range(12)],
        "interleaved": [
            {"parts": [{"text": "the "}, {"picture": f"{n % 4}.png"}, {"text": f" mat {n}"}]}
            for n in range(12)
        ],
    }
    return {name: write_lines(folder / name, lines) for name, lines in rows.items()}


def tiny_run(folder: Path, kind: str, max_steps: int = 4, **train: Any) -> PageRunConfig:
    """The configuration of a run in `folder`, whose tokenizers and pages are made once."""
    posterior = "vq" if kind == "vq" else "per_example"
    tokenizer_dir = folder / f"tokenizer-{posterior}-0"
    if not tokenizer_dir.is_dir():
        make_tokenizer_directory(folder, posterior)
    bpe = folder / "bpe.json"
    if not bpe.is_file():
        ByteBPE.train(["the cat sat on the mat"] * 9, 270).save(bpe)
    make_pictures(folder / "pictures")
    pages = {
        name: {"kind": "jsonl", "location": str(path), "pictures": folder / "pictures"}
        for name, path in page_rows(folder).items()
    }
    weights = {"text": 2, "pairs": 1, "interleaved": 1}
    values = {
        "exp_dir": folder / f"exp-{kind}",
        "picture_tokenizer_dir": tokenizer_dir,
        "text_tokenizer": {"kind": "byte_bpe", "path": bpe},
        "model": CONFIGS[kind].model_dump(),
        "data": {
            "train_sources": [{"pages": pages[n], "weight": w} for n, w in weights.items()],
            "valid_sources": list(pages.values()),
            "batch_elements": 80,
            "row_length": 40,
            "bytes_per_token": 2.0,
            "rounds": 2,
            "num_windows": 2,
            "statistics_pictures": 8,
        },
        "optimizer": {"lr": 2e-3, "betas": (0.9, 0.98), "weight_decay": 0.1},
        "sampling": {"num_steps": 2},
        "train": {"max_steps": max_steps, "log_every": 1, "checkpoint_every": 2} | train,
    }
    return parse_config(PageRunConfig, values)


def train_tiny(folder: Path, kind: str, max_steps: int = 4, **train: Any) -> PageRunConfig:
    run = tiny_run(folder, kind, max_steps, **train)
    run_pages(run)
    return run
