"""A loaded model speaks in a forked process, and a pickled Synthesizer loads its model anew."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latentspeech.audio.io import write_audio
from latentspeech.tts.models import load
from latentspeech.tts.synthesizer import Synthesizer
from tests.tiny_models import make_model_directory, voice_like

TEXT = "Hello there."

# The parent computes with two threads before the fork, and its children get neither of them.
PROGRAM = """
import multiprocessing, sys
import numpy as np
import torch
from latentspeech.tts.models import load

MODEL, RECORDING = sys.argv[1:]

def speak(task):
    runtime, of_parent = task
    speaker = SPEAKERS[runtime] if of_parent else load(MODEL, runtime=runtime)
    return speaker.synthesize("Hello there.", RECORDING).samples

if __name__ == "__main__":
    torch.set_num_threads(2)
    wide = torch.randn(64, 512, 512)
    (wide @ wide).sum()
    SPEAKERS = {runtime: load(MODEL, runtime=runtime) for runtime in ("torch", "onnx")}
    tasks = [(runtime, of_parent) for runtime in SPEAKERS for of_parent in (True, False)]
    said = [SPEAKERS[runtime].synthesize("Hello there.", RECORDING).samples for runtime, _ in tasks]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for one, heard in zip(said, pool.map(speak, tasks, chunksize=1), strict=True):
            np.testing.assert_allclose(heard, one, rtol=1e-3, atol=1e-4)
    print("all spoken")
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_directory(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "voice.wav"
    write_audio(path, voice_like(1.5), 24_000)
    return path


@pytest.mark.slow
def test_forked_workers_speak(model: Path, recording: Path) -> None:
    """Both runtimes, with the parent's model and with one that the worker loads itself."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, model, recording],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all spoken\n"


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_pickled_synthesizer_loads_its_model_anew(
    model: Path, recording: Path, runtime: str
) -> None:
    speaker = load(model, runtime=runtime)
    stored = pickle.dumps(speaker)
    assert len(stored) < 1000  # the directory and the options, no weights
    copy = pickle.loads(stored)
    said, heard = (one.synthesize(TEXT, recording).samples for one in (speaker, copy))
    assert np.array_equal(said, heard)
    assert type(copy.model.runtime) is type(speaker.model.runtime)


def test_synthesizer_of_a_model_in_memory_says_why_it_cannot_be_pickled(model: Path) -> None:
    with pytest.raises(TypeError, match=r"load\(DIRECTORY\), or load one in each process"):
        pickle.dumps(Synthesizer(load(model).model))
