"""A corpus folder (manifest.jsonl and audio) of real recordings, for tests that need speakers.

One woman speaks in all of them (tests/real_recordings.py); the speaker names are made up.
Utterances are pairs of recordings, so that most last 4 to 10 s, as a test set needs.
"""

import json
from pathlib import Path

import torch

from latentspeech.audio.io import write_audio
from tests.real_recordings import SAMPLE_RATE, real_recordings


def small_corpus(folder: Path, num_speakers: int, utterances_each: int) -> Path:
    """Writes the folder; returns it."""
    recordings = iter(real_recordings(2 * num_speakers * utterances_each))
    pause = torch.zeros(SAMPLE_RATE // 4)
    lines = []
    for number in range(num_speakers * utterances_each):
        first, second = next(recordings), next(recordings)
        speaker = f"reader{number // utterances_each}"
        audio = torch.cat((first.audio, pause, second.audio))
        name = f"{speaker}/{number:03d}.wav"
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        write_audio(folder / name, audio, SAMPLE_RATE)
        lines.append(
            {
                "id": f"{speaker}_{number:03d}",
                "audio": name,
                "speaker": speaker,
                "text": f"{first.text} {second.text}",
                "source": "asterisk",
                "licence": "CC-BY-SA-3.0",
                "duration_s": len(audio) / SAMPLE_RATE,
            }
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")
    return folder
