"""The model that ships, as a newcomer has it: understood, in the voice asked for, and marked."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from latentspeech.audio.io import write_audio
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.tts.models import find_tts, load
from latentspeech.tts.voices import builtin_voices
from recipes.tts.delivery.word_times import measure, summary

pytestmark = pytest.mark.slow

TEXTS = (
    "The tide comes in at six, and by noon the boats are gone.",
    "Did you hear what the doctor said about the winter?",
)
MAX_MB = 60  # with its codec


def synth(*arguments: str) -> dict[str, float]:
    """Runs `latentspeech synth` as a process of its own."""
    command = [sys.executable, "-m", "latentspeech.cli.main", "synth", "--model", "tts", "--json"]
    result = subprocess.run([*command, *arguments], capture_output=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr.decode()
    values: dict[str, float] = json.loads(result.stdout)
    return values


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[EvalPair]]:
    """Each text in each voice that ships, from a recording of it; {voice: pairs}."""
    folder = tmp_path_factory.mktemp("spoken")
    speaker = load("tts")
    pairs: dict[str, list[EvalPair]] = {}
    for name in builtin_voices():
        recording = folder / f"{name}.wav"
        voice = speaker.model.codec.decode(speaker.voice(name).latents[None])[0]
        write_audio(recording, np.clip(voice, -1, 1), speaker.sample_rate)
        for number, text in enumerate(TEXTS):
            out = folder / f"{name}_{number}.wav"
            synth("--prompt", str(recording), "--text", text, "--out", str(out), "--seed", "1")
            pair = EvalPair(
                id=out.stem, hypothesis_path=out, prompt_path=recording, transcript=text
            )
            pairs.setdefault(name, []).append(pair)
    return pairs


def value(metric: str, pairs: list[EvalPair]) -> float:
    """One metric over all pairs."""
    found = evaluate(pairs, make_scorers([metric]), settings={}).metrics[0].value
    assert found is not None
    return found


def test_it_is_understood(spoken: dict[str, list[EvalPair]]) -> None:
    everything = [pair for pairs in spoken.values() for pair in pairs]
    assert len(everything) == 6
    assert value("wer-w", everything) < 20


def test_each_voice_is_its_own(spoken: dict[str, list[EvalPair]]) -> None:
    for name, pairs in spoken.items():
        own = value("sim-ge2e-o", pairs)
        for other in spoken.keys() - {name}:
            stranger = spoken[other][0].prompt_path
            as_other = [
                EvalPair(
                    id=pair.id,
                    hypothesis_path=pair.hypothesis_path,
                    prompt_path=stranger,
                    transcript=pair.transcript,
                )
                for pair in pairs
            ]
            assert own > value("sim-ge2e-o", as_other) + 0.02, f"{name} sounds like {other}"


def test_the_file_says_that_it_is_synthetic(spoken: dict[str, list[EvalPair]]) -> None:
    path = spoken["heart"][0].hypothesis_path
    with soundfile.SoundFile(path) as file:
        assert "synthetic speech" in file.comment
        assert file.samplerate == 24_000


def test_a_seed_means_the_same_samples(tmp_path: Path) -> None:
    for name in ("one", "two"):
        out = str(tmp_path / f"{name}.wav")
        synth("--voice", "emma", "--text", "Hello there.", "--out", out, "--seed", "3")
    one, two = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("one", "two"))
    assert (one == two).all()


def test_it_is_small_enough_to_ship() -> None:
    directory = find_tts("tts")
    codec = directory.parent / "codec"
    files = [path for one in (directory, codec) for path in one.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_MB * 1e6
    assert not (directory / "codec").exists()
    card = (directory / "README.md").read_text(encoding="utf-8")
    for part in ("Apache-2.0", "WER-W", "## Limits", "## Not for"):
        assert part in card


def test_the_runtimes_say_the_same() -> None:
    """ONNX Runtime in float32 speaks the samples of torch, up to rounding."""
    torch_audio, onnx_audio = (
        load("tts", runtime=runtime).synthesize(TEXTS[0], "heart", seed=1).samples
        for runtime in ("torch", "onnx")
    )
    assert torch_audio.shape == onnx_audio.shape
    assert np.linalg.norm(torch_audio - onnx_audio) < 0.05 * np.linalg.norm(torch_audio)


def test_words_are_heard_when_the_voice_says() -> None:
    errors, count = measure(load("tts"), TEXTS, ["heart"])
    found = summary([error for values in errors.values() for error in values])
    assert count == len(TEXTS)
    assert found["count"] == 2 * len(" ".join(TEXTS).split())
    assert found["median_ms"] < 35
    assert found["p95_ms"] < 150
