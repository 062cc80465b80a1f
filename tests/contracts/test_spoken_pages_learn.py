"""One model learns to draw colours and to say their names, each by a head of its own."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

import latentspeech
from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError
from latentvision.images.transforms import to_tensor
from latentvision.mllm.models.latent_lm import SpeechConfig
from latentvision.mllm.page_writer import PageWriter
from latentvision.training.mllm_run import PageRunConfig, run_pages
from latentvision.training.pack_mllm import pack_page_model
from recipes.mllm.page_set import write_pages
from recipes.mllm.speech.encode_speech import encode_speech
from recipes.mllm.speech.speak_captions import recording_of, speak_captions
from recipes.mllm.speech.write_pages import write_spoken_pages
from tests.contracts.test_page_models_learn import COLOURS, colour_run

STEPS = 220


def spoken_colour_run(folder: Path) -> PageRunConfig:
    """The run of colours, on pages whose captions a shipped voice speaks."""
    values = colour_run(folder, "latent_lm").model_dump()
    for split in ("train", "valid"):
        pairs = [{"picture": f"{name}.png", "caption": name} for name in COLOURS]
        write_pages(folder, split, "pairs", pairs)
    speak_captions(folder, "heart")
    encode_speech(folder, latentspeech.find_codec(), folder / "speech_latents")
    parts = [
        {"parts": [{"text": n}, {"picture": f"{n}.png"}, {"speech": recording_of("train", n)}]}
        for n in COLOURS
    ]
    write_pages(folder, "train", "spoken", parts * 10)
    location = str(folder / "train/spoken")
    pages = {"kind": "jsonl", "location": location, "pictures": folder / "pictures"}
    speech = SpeechConfig(latent_dim=32, head_layers=2, head_ffn_dim=128)
    values["model"]["speech"] = speech.model_dump()
    values["speech_latents"] = folder / "speech_latents"
    values["data"] |= {
        "train_sources": [{"pages": pages}],
        "valid_sources": [pages],
        "batch_elements": 320,
        "row_length": 80,
    }
    values["train"] |= {"max_steps": STEPS, "checkpoint_every": STEPS}
    return parse_config(PageRunConfig, values)


@pytest.mark.slow
def test_a_page_goes_from_text_to_picture_to_speech(tmp_path: Path) -> None:
    run = spoken_colour_run(tmp_path)
    run_pages(run)
    pack_page_model(run.exp_dir, tmp_path / "model")
    writer, codec_dir = PageWriter.from_directory(tmp_path / "model"), latentspeech.find_codec()
    out = tmp_path / "out"
    out.mkdir()
    write_spoken_pages(writer, codec_dir, list(COLOURS), out, seed=1)
    codec = latentspeech.load_codec(codec_dir)
    recorded = {name: tmp_path / "speech" / recording_of("train", name) for name in COLOURS}
    known = {name: _mean_latent(codec, path) for name, path in recorded.items()}
    shown = {name: _copy(writer, tmp_path / "pictures" / f"{name}.png") for name in COLOURS}
    said_right = drawn_right = 0
    for number, name in enumerate(COLOURS):
        said = _mean_latent(codec, out / f"{number:03d}.wav")
        said_right += min(known, key=lambda one: float(np.abs(known[one] - said).sum())) == name
        pixels = to_tensor(Image.open(out / f"{number:03d}.png"))  # (3, 16, 16)
        drawn_right += min(shown, key=lambda one: float((shown[one] - pixels).norm())) == name
        length = soundfile.info(out / f"{number:03d}.wav").duration
        assert abs(length - soundfile.info(recorded[name]).duration) < 0.4
    assert said_right >= 3  # of 4; chance is 1
    assert drawn_right >= 3
    rows = json.loads((out / "pages.json").read_text())["pages"]
    assert [row["text"] for row in rows] == list(COLOURS)
    writer.description = writer.description.model_copy(update={"speech_codec_hash": "0"})
    with pytest.raises(CheckpointError, match="give the codec that encoded its speech"):
        write_spoken_pages(writer, codec_dir, ["red"], out, seed=1)


def _mean_latent(codec: latentspeech.CodecRuntime, path: Path) -> np.ndarray:
    audio, _ = soundfile.read(path, dtype="float32")
    found: np.ndarray = codec.encode(audio[None])[0].mean(0)
    return found


def _copy(writer: PageWriter, path: Path) -> torch.Tensor:
    """What the tokenizer's decoder makes of a picture's latents, (3, 16, 16)."""
    encoder = writer.sequences.encoder
    encoded = encoder.encode([encoder.shrink(Image.open(path))], torch.Generator().manual_seed(0))
    return writer.decode(encoded)[0].clamp(-1, 1)
