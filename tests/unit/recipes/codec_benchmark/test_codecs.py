"""Rival codecs: the contract's arithmetic, published shapes, loading from saved weights."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.functional import conv1d

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import load_codec_module, save_codec
from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.core.eval.paper_tables.table import load_paper_table
from latentspeech.core.eval.scorer import MetricUnavailable
from recipes.codec_benchmark.codecs.codec_speed import measure_speed
from recipes.codec_benchmark.codecs.contract import count_learned, fit_length, fold_weight_norm
from recipes.codec_benchmark.codecs.dac_low import translate_dac
from recipes.codec_benchmark.codecs.names import CODECS, make_codec
from recipes.codec_benchmark.codecs.sigma_vae import SigmaVae

RATE = 24_000


@pytest.fixture(autouse=True)
def no_weights(monkeypatch, tmp_path):
    """Whatever this machine's owner has fetched must not change the tests."""
    monkeypatch.delenv("LATENTSPEECH_WEIGHTS", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("latentspeech.core.eval.weights.own_cache", lambda: tmp_path / "own")


@pytest.fixture
def noise():
    return 0.1 * torch.randn(RATE // 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def small_codec():
    side = ConvNeXtConfig(strides=(4, 4, 5, 5, 8), base_channels=2, depths=(0, 0, 0, 0, 0, 1))
    torch.manual_seed(0)
    return Codec(CodecConfig(latent_dim=8, encoder=side, decoder=side))


def test_ours_from_a_model_directory_is_the_codec_itself(tmp_path, small_codec, noise):
    folder = tmp_path / "codec_model"
    folder.mkdir()
    save_codec(small_codec, folder, "card")
    adapter = make_codec(f"mine={folder}")
    codec = load_codec_module(folder)
    with torch.inference_mode():
        expected = codec.decode(codec.encode(noise[None]), len(noise))[0]
    torch.testing.assert_close(adapter.reconstruct(noise), expected)
    assert (adapter.name, adapter.title, adapter.latent_dim) == ("mine", "sigma-VAE 8-d", 8)
    assert (adapter.frame_rate, adapter.token_reduction_ratio) == (7.5, 3200)
    assert adapter.sizes().total == sum(p.numel() for p in small_codec.parameters())
    assert adapter.hole is None


@pytest.mark.parametrize("name", ["encodec-8", "mimi-8", "dac-low-2", "wavtokenizer-40"])
def test_without_weights_shape_and_size_are_the_published_ones(name, noise):
    pytest.importorskip("transformers")
    pytest.importorskip("encodec")
    codec = make_codec(name)
    row = next(
        row
        for row in load_paper_table(5).rows
        if row.name == codec.title and row.values[0] == codec.num_quantizers
        if row.values[1] == codec.frame_rate
    )
    assert codec.token_reduction_ratio == row.values[2]
    # Millions of the published configurations: encoder, codebooks in use, decoder.
    published = {
        "encodec-8": (7.42, 1.05, 7.42),
        "mimi-8": (38.9, 4.72, 39.9),
        "dac-low-2": (21.5, 0.0512, 52.3),
        "wavtokenizer-40": (8.30, 2.10, 63.8),
    }
    sizes = codec.sizes()
    counted = (sizes.encoder, sizes.quantizer, sizes.decoder)
    assert [count / 1e6 for count in counted] == pytest.approx(published[name], rel=0.02)
    with torch.inference_mode():
        codes = codec.encode(noise)
        assert codec.decode(codes, len(noise)).shape == noise.shape
    assert codec.hole is not None
    assert "LATENTSPEECH_WEIGHTS" in codec.hole
    with pytest.raises(InputError, match="random weights"):
        codec.reconstruct(noise)


def test_every_known_name_belongs_to_a_row_of_the_paper():
    rows = {(row.name.split()[0], *row.values[:2]) for row in load_paper_table(5).rows}
    titles = {"encodec": "Encodec", "dac": "DAC", "mimi": "Mimi", "wavtokenizer": "WavTokenizer"}
    for name, known in CODECS.items():
        kind, _, number = name.rpartition("-")
        value = int(number)
        match kind:
            case "sigma-vae":
                key = ("sigma-VAE", 1, RATE / value)
            case "wavtokenizer":
                key = (titles[kind], 1, value)
            case _:
                frame_rate = 12.5 if kind == "mimi" else 75
                key = (titles.get(kind, "DAC-low"), value, frame_rate)
        assert key in rows, name
        assert known.about


def test_encodec_saved_by_its_library_is_loaded_and_equals_it(tmp_path, monkeypatch, noise):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    model = transformers.EncodecModel(transformers.EncodecConfig()).eval()
    for layer in model.quantizer.layers:
        layer.codebook.embed.normal_()
    model.save_pretrained(tmp_path / "encodec-24khz")
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    adapter = make_codec("encodec-8")
    with torch.inference_mode():
        encoded = model.encode(noise[None, None], bandwidth=6.0)
        audio = model.decode(encoded.audio_codes, encoded.audio_scales).audio_values[0, 0]
    assert torch.equal(adapter.encode(noise).audio_codes, encoded.audio_codes)
    torch.testing.assert_close(adapter.reconstruct(noise), audio[: len(noise)])
    assert adapter.hole is None
    assert "facebook/encodec_24khz" in adapter.weights


def test_an_incomplete_checkpoint_is_an_error_not_a_random_codec(tmp_path, monkeypatch):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "encodec-24khz"
    transformers.EncodecModel(transformers.EncodecConfig()).save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    del tensors[next(name for name in tensors if name.startswith("decoder."))]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    with pytest.raises(CheckpointError, match="decoder"):
        make_codec("encodec-8")


def write_wavtokenizer_checkpoint(path):
    """A checkpoint with the names and shapes of the published one; returns the network."""
    from recipes.codec_benchmark.codecs.wavtokenizer import WavTokenizerNet

    torch.manual_seed(2)
    net = WavTokenizerNet((6, 5, 5, 4), 600).eval()
    own = net.state_dict()
    names = {
        "encoder.": "feature_extractor.encodec.encoder.",
        "codebook.embed": "feature_extractor.encodec.quantizer.vq.layers.0._codebook.embed",
    }
    stored = {"discriminators.weight": torch.zeros(1), "head.istft.window": torch.hann_window(2400)}
    for name, tensor in own.items():
        prefix = next((prefix for prefix in names if name.startswith(prefix)), "")
        stored[names.get(prefix, "") + name.removeprefix(prefix)] = tensor
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": stored, "epoch": 3}, path)
    return net


@pytest.mark.slow
def test_a_wavtokenizer_checkpoint_is_loaded_by_name(tmp_path, monkeypatch, noise):
    pytest.importorskip("encodec")
    path = tmp_path / "wavtokenizer-40/WavTokenizer_small_600_24k_4096.ckpt"
    net = write_wavtokenizer_checkpoint(path)
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    adapter = make_codec("wavtokenizer-40")
    assert adapter.hole is None
    with torch.inference_mode():
        vectors = net.encoder(noise[None, None]).mT
        nearest = torch.cdist(vectors, net.codebook.embed[None]).argmin(-1)
        audio = net.head(net.backbone(net.codebook.embed[nearest].mT))[0, : len(noise)]
        assert torch.equal(adapter.encode(noise), nearest)
    torch.testing.assert_close(adapter.reconstruct(noise), audio)


def test_the_spectrum_head_returns_the_signal_whose_spectrum_it_is_given():
    from recipes.codec_benchmark.codecs.wavtokenizer_decoder import SpectrumHead

    hop = 40
    head = SpectrumHead(hop)
    signal = torch.randn(1, 20 * hop, generator=torch.Generator().manual_seed(3))
    padded = nn.functional.pad(signal, (60, 60))
    frames = padded.unfold(1, 4 * hop, hop)  # (1, 20, 160)
    spectrum = torch.fft.rfft(frames * head.window).mT  # (1, 81, 20)
    features = torch.cat((spectrum.abs().log(), spectrum.angle()), dim=1).mT
    head.out = nn.Identity()
    torch.testing.assert_close(head(features)[:, hop:-hop], signal[:, hop:-hop], atol=2e-4, rtol=0)


def dac_names(num_strides=4):
    """Weight-normed layers of the original's 24 kHz network, by its names, as (name, shape)."""
    encoder = [("encoder.block.0", (64, 1, 7))]
    for place in range(1, num_strides + 1):
        block = f"encoder.block.{place}.block"
        for unit in range(3):
            encoder += [
                (f"{block}.{unit}.block.1", (2, 2, 7)),
                (f"{block}.{unit}.block.3", (2, 2, 1)),
            ]
        encoder.append((f"{block}.4", (4, 2, 4)))
    encoder.append(("encoder.block.6", (4, 4, 3)))
    decoder = [("decoder.model.0", (4, 4, 7))]
    for place in range(1, num_strides + 1):
        block = f"decoder.model.{place}.block"
        decoder.append((f"{block}.1", (4, 2, 4)))
        for unit in (2, 3, 4):
            decoder += [
                (f"{block}.{unit}.block.1", (2, 2, 7)),
                (f"{block}.{unit}.block.3", (2, 2, 1)),
            ]
    decoder.append(("decoder.model.6", (1, 2, 7)))
    return [*encoder, *decoder, ("quantizer.quantizers.0.in_proj", (8, 4, 1))]


def test_dac_names_are_translated_to_all_of_the_librarys(noise):
    transformers = pytest.importorskip("transformers")
    model = transformers.DacModel(transformers.DacConfig(n_codebooks=1))
    expected = {
        name
        for name in model.state_dict()
        if name.endswith(".weight") and "codebook" not in name and "out_proj" not in name
    }
    tensors = {}
    for name, shape in dac_names():
        tensors[f"{name}.weight_v"] = torch.randn(shape)
        tensors[f"{name}.weight_g"] = torch.rand(shape[0], 1, 1)
    assert set(translate_dac(tensors)) == expected


def test_dac_weight_norm_is_folded_as_torch_computes_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        layer = nn.utils.weight_norm(nn.Conv1d(3, 5, 7))
    layer.weight_g.data *= 2
    stored = {f"encoder.block.0.{k}": v for k, v in layer.state_dict().items()}
    folded = translate_dac(stored)
    audio = torch.randn(1, 3, 20)
    expected = layer(audio)
    actual = conv1d(audio, folded["encoder.conv1.weight"], folded["encoder.conv1.bias"])
    torch.testing.assert_close(actual, expected)


def test_folding_weight_norm_keeps_the_output_and_halves_nothing():
    parametrized = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 3, 3)))
    audio = torch.randn(1, 2, 9)
    expected = parametrized(audio)
    fold_weight_norm(parametrized)
    assert {name for name, _ in parametrized.named_parameters()} == {"0.weight", "0.bias"}
    torch.testing.assert_close(parametrized(audio), expected)


def test_codebooks_kept_as_buffers_are_counted_once():
    module = nn.Linear(2, 2)
    module.register_buffer("embed", torch.zeros(4, 3))
    module.register_buffer("embed_avg", torch.zeros(4, 3))
    assert count_learned(module) == 6 + 12


def test_lengths_are_fitted_by_less_than_a_frame():
    assert fit_length(torch.ones(10), 7, 4).tolist() == [1.0] * 7
    assert fit_length(torch.ones(10), 12, 4).tolist() == [1.0] * 10 + [0.0] * 2
    with pytest.raises(InputError, match="10 of 14"):
        fit_length(torch.ones(10), 14, 4)


def test_unknown_codecs_and_sizes_are_explained():
    with pytest.raises(ConfigError, match="did you mean mimi-8"):
        make_codec("mimi8")
    with pytest.raises(CheckpointError):
        make_codec("mine=/nowhere")


def test_a_missing_package_names_itself(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricUnavailable, match="pip install transformers"):
        make_codec("mimi-8")


def test_speed_is_measured_beside_the_anchor_and_threads_are_put_back(small_codec):
    calls = []

    class Counted(SigmaVae):
        def encode(self, audio):
            calls.append((self.name, torch.get_num_threads(), audio.numel()))
            return super().encode(audio)

    anchor, codec = (Counted(name, small_codec, "random") for name in ("anchor", "codec"))
    before = torch.get_num_threads()
    speed = measure_speed(codec, anchor, num_threads=1, seconds=0.5, repeats=2)
    # A warm-up of both, then turn by turn.
    assert [name for name, _, _ in calls] == ["anchor", "codec"] * 3
    assert {(threads, samples) for _, threads, samples in calls} == {(1, RATE // 2)}
    assert torch.get_num_threads() == before
    assert speed.encode_rtf > 0
    assert speed.decode_x_anchor > 0
    assert measure_speed(codec, None, 1, 0.5, 1).encode_x_anchor is None


def test_empty_audio_is_refused(small_codec):
    with pytest.raises(InputError, match="empty"):
        SigmaVae("codec", small_codec, "random").reconstruct(torch.zeros(0))
