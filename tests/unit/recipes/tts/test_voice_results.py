"""The section of RESULTS.md on a voice: parts under titles, the picture beside it, others kept."""

import sys
from pathlib import Path

import pytest

from recipes.tts.voice_results import main


def test_the_section_joins_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "scores/scores.md": "| metric |\n|---|\n| 1 |\n",
        "sweep/sweep.md": "# Sampling settings\n\n- command: `x`\n\n![sweep](sweep.png)\n",
        "stops/stops.md": "# Stops\n\n| model |\n",
        "long_text/long_text.md": "# Long text\n\n| pieces |\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    (tmp_path / "sweep/sweep.png").write_bytes(b"picture")
    results = tmp_path / "egs/RESULTS.md"
    results.parent.mkdir()
    results.write_text("# Results\n\nof something else\n")
    folders = [
        part
        for name in ("scores", "sweep", "stops", "long_text")
        for part in (f"--{name}", str(tmp_path / name))
    ]
    arguments = [*folders, "--note", "Read this.", "--results", str(results)]
    monkeypatch.setattr(sys, "argv", ["voice_results", *arguments])
    main()
    main()  # written anew, not twice
    text = results.read_text()
    assert text.startswith("# Results\n\nof something else\n")
    assert text.count("## The default voice") == 1
    for piece in (
        "Read this.",
        "### Scores\n\n| metric |",
        "- command: `x`",
        "### Stops\n\n| model",
        "### Long text\n\n| pieces",
    ):
        assert piece in text
    assert "![sweep](results/voice_sweep.png)" in text
    assert (results.parent / "results/voice_sweep.png").read_bytes() == b"picture"
