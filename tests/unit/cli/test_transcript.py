"""What a recording says, when no one wrote it down."""

import pytest

from latentspeech.cli.transcript import find_transcript
from latentspeech.eval.models.recognisers.whisper import WhisperTiny
from tests.tiny_models import voice_like


@pytest.mark.parametrize(
    ("heard", "found"), [("It goes out.", "It goes out."), ("...", None), ("♪♪", None), ("", None)]
)
def test_what_holds_no_word_is_no_transcript(
    heard: str,
    found: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(WhisperTiny, "transcribe", lambda *_: heard)
    assert find_transcript(voice_like(1.0), 24_000, quiet=False) == found
    assert ("the recording says" in capsys.readouterr().err) == (found is not None)
