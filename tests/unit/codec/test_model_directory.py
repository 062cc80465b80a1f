"""The codec's model directory: decoders beside its own, hashes, and which codec is meant."""

from pathlib import Path

import pytest
import torch

from latentspeech import model_names
from latentspeech.codec.model_directory import (
    codec_hash,
    decoder_names,
    decoding_hash,
    find_codec,
    load_codec_module,
    save_codec,
    save_decoder,
)
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.model_names import MODEL_VARIABLE
from tests.tiny_codec import CODEC, MIRRORED, make_codec, make_codec_directory
from tests.tiny_models import make_model_directory, voice_like


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_codec_directory(tmp_path)


@pytest.fixture
def nothing_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with an empty folder of models, which is returned."""
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(model_names, "MODELS_FOLDER", folder)
    return folder


@torch.inference_mode()
def test_a_further_decoder_reads_the_same_latents(directory: Path) -> None:
    own, other = load_codec_module(directory), load_codec_module(directory, "mirrored")
    assert (own.config.decoder.kind, other.config.decoder.kind) == ("harmonic", "convnext")
    assert not own.training
    assert not other.training
    assert not other.decoder.training
    audio = voice_like(0.5)[None]
    latents = own.encode(audio)
    assert torch.equal(latents, other.encode(audio))
    copies = [codec.decode(latents, audio.shape[1]) for codec in (own, other)]
    assert copies[0].shape == copies[1].shape == audio.shape
    assert not torch.allclose(*copies)
    # Each is what was written, in half precision.
    trained = make_codec(0, 2, CODEC.model_copy(update={"decoder": MIRRORED}))
    for name, value in trained.decoder.state_dict().items():
        assert torch.equal(other.decoder.state_dict()[name], value.half().float()), name


def test_an_unknown_decoder_names_those_that_are_there(tmp_path: Path) -> None:
    directory = make_codec_directory(tmp_path, ("mirrored", "small"))
    assert decoder_names(directory) == ["mirrored", "small"]
    for name in ("big", "", "../decoders/small", "../.."):
        with pytest.raises(CheckpointError, match=r"no further decoder .* has mirrored, small"):
            load_codec_module(directory, name)
    plain = make_codec_directory(directory, ())
    with pytest.raises(CheckpointError, match="none beside its own"):
        load_codec_module(plain, "mirrored")


def test_a_decoder_of_another_codec_is_refused(directory: Path) -> None:
    strides = MIRRORED.model_copy(update={"strides": (4, 20, 10)})
    hop = CODEC.model_copy(update={"encoder": strides, "decoder": strides, "lookahead_samples": 0})
    save_decoder(make_codec(config=hop), directory, "hop", "")
    with pytest.raises(ConfigError, match=r"hop/config.yaml: .*must be equal"):
        load_codec_module(directory, "hop")
    wide = CODEC.model_copy(update={"latent_dim": 6, "decoder": MIRRORED})
    save_decoder(make_codec(config=wide), directory, "wide", "")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_codec_module(directory, "wide")
    weights = directory / "decoders/mirrored/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="truncated"):
        load_codec_module(directory, "mirrored")


def test_the_hash_is_the_encoders(directory: Path, tmp_path: Path) -> None:
    before = codec_hash(directory)
    assert len(before) == 16
    for name, decoder_seed in (("one", 1), ("two", 5)):
        (tmp_path / name).mkdir()
        save_codec(make_codec(0, decoder_seed), tmp_path / name, "another card")
        assert codec_hash(tmp_path / name) == before
    save_decoder(make_codec(0, 7), directory, "added", "")
    assert codec_hash(directory) == before
    # Whole codecs differ by decoder, whether it lies beside another or is their own.
    hashes = [decoding_hash(tmp_path / name) for name in ("one", "two")]
    assert decoding_hash(directory) == hashes[0]
    save_decoder(make_codec(0, 5), directory, "two", "")
    assert decoding_hash(directory, "two") == hashes[1]
    assert len({*hashes, decoding_hash(directory, "mirrored"), before}) == 4


@pytest.mark.parametrize("change", ["weights", "lookahead", "lags", "decoder weights"])
def test_the_hash_sees_what_decides_latents(change: str, directory: Path, tmp_path: Path) -> None:
    config, seed = CODEC, 0
    if change == "weights":
        seed = 3
    elif change == "lookahead":
        config = CODEC.model_copy(update={"lookahead_samples": 599})
    elif change == "lags":  # as many, at other places: the weights keep their shapes
        encoder = CODEC.encoder.model_copy(update={"cepstrum_lags": (41, 481)})
        config = CODEC.model_copy(update={"encoder": encoder})
    other = tmp_path / "other"
    other.mkdir()
    save_codec(make_codec(seed, 9, config), other, "")
    same = codec_hash(other) == codec_hash(directory)
    assert same == (change == "decoder weights")


def test_what_is_asked_for_comes_before_what_ships(
    nothing_chosen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError, match="no codec is installed"):
        find_codec()
    shipped = make_codec_directory(nothing_chosen)
    assert find_codec() == find_codec("codec") == shipped
    (tmp_path / "mine").mkdir()
    mine = make_codec_directory(tmp_path / "mine")
    assert find_codec(mine) == mine
    (tmp_path / "tts").mkdir()
    speaker = make_model_directory(tmp_path / "tts")
    assert find_codec(str(speaker)) == speaker / "codec"
    monkeypatch.setenv(MODEL_VARIABLE, str(speaker))
    assert find_codec() == speaker / "codec"
    assert find_codec("codec") == shipped
    monkeypatch.setenv(MODEL_VARIABLE, "codec")
    assert find_codec() == shipped
    # A folder hides a shipped model of the same name.
    monkeypatch.chdir(tmp_path / "mine")
    assert find_codec("codec").resolve() == mine
