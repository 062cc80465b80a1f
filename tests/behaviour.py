"""Records what the shipped codec and voice do, to compare another commit with it.

    python -m tests.behaviour FOLDER          # at the commit before a change
    LATENTSPEECH_BEHAVIOUR=FOLDER python -m pytest tests/contracts/test_behaviour.py    # after it

FOLDER then holds arrays and numbers: ten sentences with fixed seeds, whole and streamed, by torch
and by ONNX Runtime; latents of five recordings and the audio decoded from them; the scores of those
copies; the losses of short trainings of a codec and of both layouts of the TTS model. Only public
names and the test helpers are used, so the same program runs at either commit.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import latentspeech
from latentspeech.audio.io import write_audio
from tests.cli_runner import latentspeech as command
from tests.real_recordings import SAMPLE_RATE, real_recordings
from tests.tiny_models import make_model_directory
from tests.tiny_runs import run_tiny

ROOT = Path(__file__).parents[1]
SENTENCES = (
    "The tide comes in at six.",
    "By noon the boats are gone, and nobody asks where.",
    "Is it raining?",
    "He paid 42 dollars for 3 tickets on May 5th.",
    "Nothing can be skipped, and nothing is said twice!",
    "A quick brown fox jumps over the lazy dog.",
    "She read the letter twice. Then she burned it.",
    "Good morning.",
    "The committee meets on Thursday, at a quarter past nine, in the old town hall.",
    "Yes.",
)
VOICES = ("heart", "george", "emma")
METRICS = "mel-dac-class,mel,stoi,pesq,si-sdr,dnsmos,sim-ge2e,wer-w"
RUNTIMES = ("torch", "onnx", "onnx-int8")


def record(folder: Path) -> None:
    """Writes every file of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for runtime in RUNTIMES:
        np.savez(folder / f"speech_{runtime}.npz", **_speech(runtime))
    with tempfile.TemporaryDirectory() as temporary:
        arrays, scores = _codec(Path(temporary))
    np.savez(folder / "codec.npz", **arrays)
    (folder / "scores.json").write_text(json.dumps(scores, indent=1, sort_keys=True) + "\n")
    with tempfile.TemporaryDirectory() as temporary:
        losses = _trainings(Path(temporary))
    (folder / "losses.json").write_text(json.dumps(losses, indent=1, sort_keys=True) + "\n")


def _speech(runtime: Any) -> dict[str, np.ndarray]:
    speaker = latentspeech.load(None, "cpu", runtime)
    made: dict[str, np.ndarray] = {}
    for number, text in enumerate(SENTENCES):
        voice = VOICES[number % len(VOICES)]
        made[f"whole_{number}"] = np.asarray(speaker.synthesize(text, voice, seed=number).samples)
        chunks = [np.asarray(chunk) for chunk in speaker.stream(text, voice, seed=number)]
        made[f"streamed_{number}"] = np.concatenate(chunks)
    return made


def _codec(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    codec = latentspeech.load_codec(latentspeech.find_codec())
    for name in ("ref", "hyp"):
        (folder / name).mkdir()
    arrays: dict[str, np.ndarray] = {}
    texts = []
    for number, recording in enumerate(real_recordings(5)):
        source = folder / "ref" / f"{number}.wav"
        write_audio(source, recording.audio, SAMPLE_RATE)
        copy = folder / "hyp" / f"{number}.wav"
        _run("codec", "reconstruct", source, copy)
        _run("codec", "encode", source, folder / "latents.safetensors")
        from safetensors.numpy import load_file

        latents = load_file(folder / "latents.safetensors")["latents"]
        arrays[f"latents_{number}"] = latents
        audio = codec.decode(latents.reshape(1, -1, latents.shape[-1]).astype(np.float32))
        arrays[f"decoded_{number}"] = np.asarray(audio)
        texts.append({"id": str(number), "text": recording.text})
    lines = "".join(json.dumps(line) + "\n" for line in texts)
    (folder / "texts.jsonl").write_text(lines)
    _run(
        "score",
        *("--ref", folder / "ref", "--hyp", folder / "hyp", "--metrics", METRICS),
        *("--transcripts", folder / "texts.jsonl", "--out", folder / "report.json"),
    )
    report = json.loads((folder / "report.json").read_text())
    return arrays, {metric["name"]: metric["value"] for metric in report["metrics"]}


def _trainings(folder: Path) -> dict[str, list[dict[str, float]]]:
    losses: dict[str, list[dict[str, float]]] = {}
    for layout in ("sentence", "aligned"):
        home = folder / layout
        home.mkdir()
        run_tiny(home / "exp", make_model_directory(home, layout), 12, layout)
        losses[f"tts_{layout}"] = _curve(home / "exp")
    cuts = _cuts(folder / "cuts")
    changes = ("train.max_steps=6", "train.log_every=1", "loss.discriminator_start_step=2")
    _run(
        *("train", "codec", "--config", ROOT / "egs/mini/conf/codec_debug.yaml"),
        *(f"--set={change}" for change in changes),
        f"--set=exp_dir={folder / 'codec'}",
        f"--set=data.train_cuts={cuts}",
        f"--set=data.valid_cuts={cuts}",
    )
    losses["codec"] = _curve(folder / "codec")
    return losses


def _cuts(folder: Path) -> Path:
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    folder.mkdir()
    cuts = []
    for number, recording in enumerate(real_recordings(8)):
        path = folder / f"{number}.wav"
        write_audio(path, recording.audio, SAMPLE_RATE)
        source = Recording.from_file(path, recording_id=str(number))
        said = SupervisionSegment(
            str(number), str(number), 0.0, source.duration, text=recording.text, speaker="allison"
        )
        cut = MonoCut(str(number), 0.0, source.duration, 0, [said], recording=source)
        cuts.append(cut)
    CutSet.from_cuts(cuts).to_file(folder / "cuts.jsonl.gz")
    return folder / "cuts.jsonl.gz"


def _curve(exp_dir: Path) -> list[dict[str, float]]:
    """All logged numbers except times."""
    lines = map(json.loads, (exp_dir / "metrics.jsonl").read_text().splitlines())
    return [
        {name: value for name, value in line.items() if not name.startswith(("time/", "seconds"))}
        for line in lines
    ]


def _run(*arguments: object) -> None:
    result = command(*arguments)
    assert result.returncode == 0, result.stderr.decode()


if __name__ == "__main__":
    record(Path(sys.argv[1]))
