"""A small random network of UTMOS' own class, with its weights in the names of two packages."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

_SPEECHMOS_NAMES = {
    "feature_extractors.0.ssl_model.": "wav2vec2.",
    "output_layers.0.decoder_rnn.": "blstm.",
    "output_layers.1.net.0.": "projection.0.",
    "output_layers.1.net.3.": "projection.2.",
}


def shrink_utmos(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package's module, patched so that its networks are small and have one layer."""
    pytest.importorskip("utmos_pytorch")
    from utmos_pytorch import utmos_torch

    small = functools.partial(
        utmos_torch.Wav2Vec2Config,
        conv_feature_layers="[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] * 2",
        encoder_layers=1,
        encoder_ffn_embed_dim=32,
        encoder_attention_heads=2,
        conv_pos_groups=768,
    )
    monkeypatch.setattr(utmos_torch, "Wav2Vec2Config", small)
    return utmos_torch


def weights_folder(monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """The folder under `root` that the scorer reads; it finds no other weights."""
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(root))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(root / "hub"))
    folder = root / "utmos22_strong"
    folder.mkdir()
    return folder


def random_tensors(package: Any) -> dict[str, Tensor]:
    """The weights of a fresh network by the package's names."""
    torch.manual_seed(3)
    tensors: dict[str, Tensor] = package.UTMOSModel().state_dict()
    return tensors


def as_speechmos(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under SpeechMOS' names, with the one row of each embedding that it keeps."""
    renamed = {
        "domain_emb": tensors["feature_extractors.1.embedding.weight"][:1].clone(),
        "judge_emb": tensors["output_layers.0.judge_embedding.weight"][288:289].clone(),
        "wav2vec2.mask_emb": torch.zeros(768),
    }
    for ours, theirs in _SPEECHMOS_NAMES.items():
        for name, tensor in tensors.items():
            if name.startswith(ours):
                renamed[theirs + name.removeprefix(ours)] = tensor
    return renamed
