"""The CLIP score over a CLIP model of random weights, which is made here."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from latentspeech.core.errors import CheckpointError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentvision.mllm.scores.clip_score import ClipModel, clip_score

pytest.importorskip("transformers", reason="package transformers is not installed")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    folder.mkdir()
    marks = ["<|startoftext|>", "<|endoftext|>"]
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *marks]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    side = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    side |= {"num_attention_heads": 2, "projection_dim": 8}
    text = {**side, "vocab_size": 54, "max_position_embeddings": 12}
    config = CLIPConfig(
        text_config={**text, "bos_token_id": 52, "eos_token_id": 53},
        vision_config={**side, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def test_scores_are_a_hundred_cosines_and_never_negative(directory: Path) -> None:
    model = ClipModel(directory)
    colours = ["red", "blue", "green", "white"]
    pictures = [Image.new("RGB", (40, 50), colour) for colour in colours]
    texts = ["a red cat", "dog", "some very long words that the model cuts", "z"]
    found = model.scores(pictures * 9, texts * 9)
    network, processor = model._network, model._processor
    cosines = []
    for picture, text in zip(pictures, texts, strict=True):
        inputs = processor(
            text=[text], images=[picture], return_tensors="pt", truncation=True, max_length=12
        )
        with torch.inference_mode():
            out = network(**inputs)
        cosines.append(float(torch.cosine_similarity(out.image_embeds, out.text_embeds)))
    assert found == pytest.approx([max(100 * c, 0.0) for c in cosines] * 9, abs=1e-3)
    assert any(value > 0 for value in found)
    result = clip_score(model, pictures, texts)
    assert result.value == pytest.approx(sum(found[:4]) / 4)
    assert (result.num_scored, result.hole) == (4, None)
    assert result.description["model"] == "tiny-clip"


def test_without_a_model_there_is_a_hole() -> None:
    with pytest.raises(MetricUnavailable, match="give --clip DIR") as caught:
        ClipModel(None)
    result = clip_score(str(caught.value), [], [])
    assert result.value is None
    assert result.hole is not None
    assert "none ships" in result.hole


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        ClipModel(tmp_path)
