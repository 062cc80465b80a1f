"""Short speech made by espeak-ng, and a synthetic stand-in where any signal will do."""

import shutil
import subprocess

import pytest
import torch

from latentspeech.audio.io import load_audio

SENTENCE = "The quick brown fox jumps over the lazy dog near the river bank."


@pytest.fixture(scope="session")
def sentence():
    return SENTENCE


@pytest.fixture(scope="session")
def speak(tmp_path_factory):
    """speak(text, voice) -> path of a wav file."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    folder = tmp_path_factory.mktemp("speech")

    def make(text, voice="en-us"):
        path = folder / f"{abs(hash((text, voice)))}.wav"
        command = ["espeak-ng", "-v", voice, "-s", "140", "-w", str(path), text]
        subprocess.run(command, check=True)
        return path

    return make


@pytest.fixture(scope="session")
def speech(speak):
    """About 4 s at 24 kHz, (T,)."""
    return load_audio(speak(SENTENCE), 24000)


@pytest.fixture
def noisy():
    """noisy(audio, level) adds seeded noise."""

    def add(audio, level=0.01):
        generator = torch.Generator().manual_seed(0)
        return audio + level * torch.randn(audio.shape, generator=generator)

    return add


@pytest.fixture
def bursts():
    """bursts(duration_s, sample_rate): noise, on for 0.3 s and off for 0.4 s in turn."""

    def make(duration_s, sample_rate=16000):
        generator = torch.Generator().manual_seed(1)
        time_s = torch.arange(int(duration_s * sample_rate)) / sample_rate
        noise = torch.randn(time_s.shape, generator=generator)
        return 0.1 * noise * (time_s.remainder(0.7) < 0.3)

    return make
