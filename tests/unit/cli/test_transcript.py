"""What a recording says, when no one wrote it down."""

from pathlib import Path

import pytest

from latentspeech.audio.io import write_audio
from latentspeech.cli.transcript import find_transcript
from latentspeech.eval.models.recognisers.whisper import WhisperTiny
from tests.tiny_models import voice_like


@pytest.mark.parametrize(
    ("heard", "found"), [("It goes out.", "It goes out."), ("...", None), ("♪♪", None), ("", None)]
)
def test_what_holds_no_word_is_no_transcript(
    heard: str,
    found: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(WhisperTiny, "transcribe", lambda *_: heard)
    write_audio(tmp_path / "ref.wav", voice_like(1.0), 24_000)
    assert find_transcript(tmp_path / "ref.wav", quiet=False) == found
    assert ("the recording says" in capsys.readouterr().err) == (found is not None)
