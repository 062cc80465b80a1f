"""UTMOS' path from a file of weights to a score, on a small network of the same class."""

import math

import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.non_intrusive import utmos
from latentspeech.eval.metrics.non_intrusive.utmos import Utmos
from tests.tiny_utmos import as_speechmos, random_tensors, shrink_utmos, weights_folder

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")


@pytest.fixture
def package(monkeypatch):
    return shrink_utmos(monkeypatch)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    return weights_folder(monkeypatch, tmp_path)


def test_equals_the_package_on_the_same_weights(package, folder, speech):
    path = folder / "utmos_state_dict.pt"
    torch.save(random_tensors(package), path)
    plain = package.UTMOSScoreTorch(ckpt_path=str(path))
    clip = resample(speech, 24000, 16000)
    expected = float(plain.score(clip))
    scorer = Utmos()
    assert scorer.score(None, clip, 16000, None).value == pytest.approx(expected, abs=1e-6)
    assert scorer.score(None, speech, 24000, None).value == pytest.approx(expected, abs=1e-6)
    assert scorer._network is scorer._network
    assert "utmos_state_dict.pt, sha256" in scorer.describe()["checkpoint"]


def test_speechmos_file_gives_the_same_score(package, folder, speech):
    tensors = random_tensors(package)
    torch.save(tensors, folder / "utmos_state_dict.pt")
    converted = Utmos().score(None, speech, 24000, None).value
    published = folder / "utmos22_strong_step7459_v1.pt"
    torch.save(as_speechmos(tensors), published)
    scorer = Utmos()
    assert scorer.score(None, speech, 24000, None).value == converted
    assert "step7459" in scorer.describe()["checkpoint"]


def test_the_file_that_torch_hub_left_is_found(package, folder, tmp_path, speech):
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(as_speechmos(random_tensors(package)), checkpoints / "utmos22_strong_step7459_v1.pt")
    folder.rmdir()
    assert math.isfinite(Utmos().score(None, speech, 24000, None).value)


def test_long_audio_is_the_mean_of_its_blocks(package, folder, speech, monkeypatch):
    torch.save(random_tensors(package), folder / "utmos_state_dict.pt")
    clip = resample(speech, 24000, 16000)[:32000]
    scorer = Utmos()
    halves = [scorer.score(None, half, 16000, None).value for half in clip.chunk(2)]
    monkeypatch.setattr(utmos, "MAX_BLOCK_S", 1.0)
    score = scorer.score(None, clip, 16000, None)
    assert score.details["num_blocks"] == 2
    assert score.value == pytest.approx(sum(halves) / 2)


def test_absent_weights_name_the_address_and_the_folder(package, folder):
    folder.rmdir()
    with pytest.raises(MetricUnavailable, match=r"SpeechMOS/releases.*utmos22_strong/"):
        Utmos().prepare()


def test_a_file_that_lacks_tensors_is_refused(package, folder):
    tensors = random_tensors(package)
    del tensors["output_layers.1.net.3.bias"]
    torch.save(tensors, folder / "utmos_state_dict.pt")
    with pytest.raises(CheckpointError, match=r"net\.3\.bias"):
        Utmos().prepare()
    (folder / "utmos_state_dict.pt").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Utmos().prepare()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricUnavailable, match="pip install utmos-pytorch"):
        Utmos().prepare()


def test_a_clip_of_less_than_one_frame_is_refused(package, folder):
    torch.save(random_tensors(package), folder / "utmos_state_dict.pt")
    with pytest.raises(InputError, match=r"at least 0\.025 s"):
        Utmos().score(None, torch.ones(300), 16000, None)
    assert math.isfinite(Utmos().score(None, torch.zeros(400), 16000, None).value)


def test_network_and_blocks_are_on_the_device_that_was_asked_for(
    package, folder, speech, monkeypatch
):
    torch.save(random_tensors(package), folder / "utmos_state_dict.pt")
    asked = torch.device("meta")  # holds no numbers, so the score cannot leave it
    scorer = Utmos(device=asked)
    monkeypatch.setattr(utmos, "describe_device", lambda device: {"device": str(device)})
    assert {tensor.device for tensor in scorer._network.parameters()} == {asked}
    heard = []
    monkeypatch.setattr(scorer._network, "score", lambda clip: heard.append(clip.device) or 3.0)
    assert scorer.score(None, speech, 24000, None).value == 3.0
    assert heard == [asked]
    assert scorer.describe()["device"] == "meta"


@pytest.mark.gpu
def test_a_gpu_gives_the_score_of_the_cpu(package, folder, speech):
    torch.save(random_tensors(package), folder / "utmos_state_dict.pt")
    scores = [
        Utmos(device=torch.device(device)).score(None, speech, 24000, None).value
        for device in ("cpu", "cuda:0")
    ]
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)
