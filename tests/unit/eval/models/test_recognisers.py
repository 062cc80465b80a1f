import functools
import importlib.util
import sys
import types

import pytest
import torch

from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.models.recognisers import nemo_transducer, pieces, published
from latentspeech.eval.models.recognisers.conformer_transducer import (
    SPEECHBRAIN_TRANSDUCER,
    ConformerTransducer,
)
from latentspeech.eval.models.recognisers.hubert import HUBERT_LARGE, HubertRecogniser
from latentspeech.eval.models.recognisers.load import RECOGNISERS, load_recogniser
from latentspeech.eval.models.recognisers.nemo_transducer import NEMO_XLARGE, NemoTransducer
from tests import tiny_judges, tiny_nemo, tiny_speechbrain

# SpeechBrain and its dependencies use deprecated names of torch and torchaudio.
pytestmark = pytest.mark.filterwarnings("ignore")
SAVED = {
    HUBERT_LARGE.name: tiny_judges.save_hubert,
    SPEECHBRAIN_TRANSDUCER.name: tiny_speechbrain.save_transducer,
}


@pytest.fixture(scope="module")
def noise():
    return 0.1 * torch.randn(24000, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    pytest.importorskip("transformers")
    pytest.importorskip("speechbrain")
    folder = tmp_path_factory.mktemp("weights")
    for name, save in SAVED.items():
        save(folder / name)
    return folder


@pytest.fixture(autouse=True)
def here(request, monkeypatch):
    if "weights" in request.fixturenames:
        monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(request.getfixturevalue("weights")))


@pytest.fixture(params=[HubertRecogniser, ConformerTransducer])
def recogniser(request, weights):
    return request.param()


def test_hubert_equals_plain_use_of_transformers(weights, noise):
    from transformers import HubertForCTC, Wav2Vec2Processor

    folder = weights / HUBERT_LARGE.name
    processor = Wav2Vec2Processor.from_pretrained(folder)
    model = HubertForCTC.from_pretrained(folder).eval()
    inputs = processor(noise.numpy(), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
    expected = processor.batch_decode(logits.argmax(-1))[0]
    recogniser = HubertRecogniser()
    assert recogniser.transcribe(noise, 16000) == " ".join(expected.split())
    assert len(expected) > 10
    with torch.no_grad():
        ours = recogniser._model(inputs.input_values).logits
    assert torch.allclose(ours, logits, atol=1e-6)


def test_the_transducer_equals_the_recipe_that_trained_it(weights, noise):
    from speechbrain.inference.ASR import StreamingASR
    from speechbrain.utils.fetching import LocalStrategy

    folder = str(weights / SPEECHBRAIN_TRANSDUCER.name)
    plain = StreamingASR.from_hparams(folder, local_strategy=LocalStrategy.NO_LINK)
    hparams, whole = plain.hparams, torch.ones(1)
    with torch.no_grad():
        features = hparams.normalize(hparams.compute_features(noise[None]), whole)
        encoded = plain.mods.proj_enc(plain.mods.enc(hparams.CNN(features), whole))
        tokens = hparams.Greedysearcher(encoded)[0][0]
    expected = hparams.tokenizer.decode_ids(tokens)
    assert ConformerTransducer().transcribe(noise, 16000) == " ".join(expected.split())
    assert len(expected) > 10


def test_weights_that_stay_random_are_an_error(tmp_path, monkeypatch):
    pytest.importorskip("speechbrain")
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    tiny_judges.save_hubert(tmp_path / HUBERT_LARGE.name)
    path = tmp_path / HUBERT_LARGE.name / "pytorch_model.bin"
    tensors = torch.load(path, weights_only=True)
    del tensors["lm_head.weight"]
    torch.save(tensors, path)
    with pytest.raises(CheckpointError, match=r"lacks 1 weight.* lm_head.weight"):
        HubertRecogniser().prepare()
    folder = tmp_path / SPEECHBRAIN_TRANSDUCER.name
    tiny_speechbrain.save_transducer(folder)
    tensors = torch.load(folder / "model.ckpt", weights_only=True)
    name = next(name for name in tensors if "pos_bias_u" in name)
    del tensors[name]
    torch.save(tensors, folder / "model.ckpt")
    with pytest.raises(CheckpointError, match=rf"lacks 1 weight.* {name}"):
        ConformerTransducer().prepare()


def test_a_recipe_file_that_names_other_code_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / SPEECHBRAIN_TRANSDUCER.name
    folder.mkdir()
    for name in ("model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"):
        (folder / name).write_bytes(b"x")
    (folder / "hyperparams.yaml").write_text("a: !apply:os.system [touch harm]\n")
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"would run os.system; expected objects of speech"):
        ConformerTransducer().prepare()


@pytest.mark.parametrize("name", sorted(RECOGNISERS))
def test_bad_audio_is_refused_before_a_model_is_needed(name):
    recogniser = RECOGNISERS[name]()
    for audio, match in (
        (torch.zeros(0), "empty"),
        (torch.full((16000,), torch.nan), "NaN"),
        (torch.ones(2, 16000), "mono"),
    ):
        with pytest.raises(InputError, match=match):
            recogniser.transcribe(audio, 16000)
    with pytest.raises(InputError, match="rate"):
        recogniser.transcribe(torch.ones(16000), 0)


def test_silence_and_less_than_a_frame_are_no_words_and_a_tenth_of_a_second_works(recogniser):
    assert recogniser.transcribe(torch.zeros(16000), 16000) == ""
    assert recogniser.transcribe(torch.full((399,), 0.1), 16000) == ""
    assert recogniser.transcribe(torch.full((598,), 0.1), 24000) == ""
    tenth = 0.1 * torch.randn(1600, generator=torch.Generator().manual_seed(0))
    assert recogniser.transcribe(tenth, 16000) == recogniser.transcribe(tenth, 16000)
    loaded = recogniser.describe()
    assert "sha256" in loaded["checkpoint"]
    assert "36 s" in loaded["decoding"]


def test_missing_weights_and_packages_say_what_brings_them(monkeypatch, tmp_path):
    import huggingface_hub.constants as constants

    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for kind, source in (
        (HubertRecogniser, HUBERT_LARGE),
        (ConformerTransducer, SPEECHBRAIN_TRANSDUCER),
    ):
        recogniser = kind()
        assert recogniser.describe()["checkpoint"] == source.where()
        with pytest.raises(MetricUnavailable, match=rf"hf download {source.repo} "):
            recogniser.transcribe(torch.ones(16000), 16000)


@pytest.mark.skipif(importlib.util.find_spec("nemo") is not None, reason="NeMo is installed")
def test_nemo_is_optional_and_the_message_installs_it():
    with pytest.raises(MetricUnavailable, match=r'WER-C .*pip install "nemo_toolkit\[core,'):
        NemoTransducer().transcribe(torch.ones(16000), 16000)


def test_one_instance_serves_the_process():
    assert load_recogniser("whisper") is load_recogniser("whisper")
    assert load_recogniser("hubert") is not load_recogniser("whisper")
    with pytest.raises(ConfigError, match="choose from whisper, whisper-base, hubert, conformer-"):
        load_recogniser("kaldi")


def test_pieces_are_short_enough_cut_in_silence_and_lose_nothing(bursts):
    audio = bursts(100.0)
    found = pieces.cut_at_silences(audio, 16000)
    assert torch.equal(torch.cat(found), audio)
    assert len(found) == 4
    assert all(len(piece) <= 36 * 16000 for piece in found)
    for piece in found[:-1]:
        assert len(piece) >= 24 * 16000
        assert float(piece[-1600:].abs().max()) == 0.0
    uncut = bursts(35.9)
    assert pieces.cut_at_silences(uncut, 16000)[0] is uncut
    tone = torch.ones(16000 * 90)  # no silence anywhere: still cut, still whole
    assert sum(len(piece) for piece in pieces.cut_at_silences(tone, 16000)) == len(tone)


def test_a_long_recording_is_the_sum_of_its_pieces(recogniser, noise, monkeypatch):
    cut = functools.partial(pieces.cut_at_silences, max_s=2.5)
    monkeypatch.setattr(pieces, "cut_at_silences", cut)
    long = torch.cat([noise, torch.zeros(16000), noise])  # 4 s
    found = cut(long, 16000)
    parts = [recogniser.transcribe(piece, 16000) for piece in found]
    assert len(found) == 2
    assert recogniser.transcribe(long, 16000) == " ".join(" ".join(parts).split())


@pytest.mark.slow
def test_minutes_are_heard(recogniser, noise):
    # The transducer with random weights says something at every frame, which takes it longest.
    repeats = 90 if isinstance(recogniser, ConformerTransducer) else 300
    minutes = torch.cat([noise, torch.zeros(8000)]).repeat(repeats)  # 3 or 10 min
    assert len(recogniser.transcribe(minutes, 16000)) > 100


@pytest.mark.slow
def test_nemo_equals_its_own_transcribe(tmp_path, monkeypatch, noise):
    pytest.importorskip("nemo")
    from nemo.collections.asr.models import ASRModel

    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    tiny_nemo.save_nemo(tmp_path / NEMO_XLARGE.name / NEMO_XLARGE.weights[0])
    model = ASRModel.restore_from(str(tmp_path / NEMO_XLARGE.name / NEMO_XLARGE.weights[0]))
    expected = model.eval().transcribe([noise.numpy()], verbose=False)[0].text
    assert NemoTransducer().transcribe(noise, 16000) == expected
    assert len(expected) > 10


def test_model_and_audio_are_on_the_device_that_was_asked_for(weights, noise, monkeypatch):
    asked = torch.device("meta")  # holds no numbers: whatever touches the CPU's tensors fails
    monkeypatch.setattr(published, "describe_device", lambda device: {"device": str(device)})
    recogniser = HubertRecogniser(device=asked)
    recogniser.prepare()
    assert {tensor.device for tensor in recogniser._model.parameters()} == {asked}
    heard = []
    recogniser._model.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].device))
    with pytest.raises(NotImplementedError, match="meta"):  # the last step copies to the CPU
        recogniser.transcribe(noise, 16000)
    assert heard == [asked]
    assert recogniser.describe()["device"] == "meta"


def test_nemo_restores_onto_the_device(monkeypatch, tmp_path):
    restored = []

    class Model:
        @staticmethod
        def restore_from(path, map_location):
            restored.append(map_location)
            return torch.nn.Identity()

    models = types.ModuleType("nemo.collections.asr.models")
    models.ASRModel = Model
    for name in ("nemo", "nemo.collections", "nemo.collections.asr"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, models.__name__, models)
    monkeypatch.setattr(nemo_transducer, "require_packages", lambda metric, packages: None)
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    archive = tmp_path / NEMO_XLARGE.name / NEMO_XLARGE.weights[0]
    archive.parent.mkdir()
    archive.write_bytes(b"archive")
    for device in ("cpu", "cuda:1"):
        NemoTransducer(device=torch.device(device)).prepare()
    assert restored == ["cpu", "cuda:1"]


@pytest.mark.gpu
def test_a_gpu_hears_what_the_cpu_hears(recogniser, noise):
    on_gpu = type(recogniser)(device=torch.device("cuda", 0))
    assert on_gpu.transcribe(noise, 16000) == recogniser.transcribe(noise, 16000)
    assert on_gpu.describe()["device"].startswith("cuda, ")
