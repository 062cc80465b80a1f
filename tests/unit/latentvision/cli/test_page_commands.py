"""`latentvision train mllm`, `draw`, `caption`, `ask` and `chat`: results and one-line errors."""

import io
import json
from pathlib import Path

import pytest
import yaml

from latentvision.images.reading import read_picture
from tests.tiny_page_models import tiny_run
from tests.unit.latentvision.cli.test_vision_commands import fails, latentvision


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that the commands trained and packed, and pictures."""
    folder = tmp_path_factory.mktemp("pages")
    run = tiny_run(folder, "latent_lm", max_steps=2)
    (folder / "run.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json")))
    code, out, _ = latentvision("train", "mllm", "--config", folder / "run.yaml", "--json")
    assert (code, json.loads(out)["step"]) == (0, 2)
    assert latentvision("pack", run.exp_dir, folder / "model", "--quiet") == (0, "", "")
    return folder


def test_draw_is_the_same_for_a_seed(folder: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        code, out, _ = latentvision(
            *("draw", "--model", folder / "model", "--text", "the cat", "--seed", seed, "--json"),
            *("--out", folder / f"{name}.png", "--num", 2, "--num-steps", 1),
        )
        assert code == 0
        assert json.loads(out)["num"] == 2
    a, b, c = ((folder / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert read_picture(folder / "a.png").size == (34, 16)


def test_caption_and_ask(folder: Path) -> None:
    shown = folder / "pictures" / "0.png"
    options = ("--model", folder / "model", "--max-tokens", 3)
    code, out, _ = latentvision("caption", shown, *options, "--json")
    assert code == 0
    assert isinstance(json.loads(out)["caption"], str)
    code, out, _ = latentvision("ask", shown, "--question", "What?", *options, "--json")
    assert code == 0
    assert json.loads(out)["question"] == "What?"
    code, out, _ = latentvision("models", folder / "model", "--json")
    assert json.loads(out)[0]["model"] == "latent_lm"


def test_chat(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = f"@{folder / 'pictures' / '1.png'}\n? What?\nthe\n"
    chat = ("chat", "--model", folder / "model", "--max-tokens", 2, "--out-dir", folder)
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, out, _ = latentvision(*chat, "--json")
    assert code == 0
    events = [json.loads(line) for line in out.splitlines()]
    assert sum(event == {"end": True} for event in events) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, out, _ = latentvision(*chat)
    assert code == 0
    texts = "".join(event.get("text", "") for event in events)
    assert out.replace("\n", "") == texts.replace("\n", "")


def test_wrong_input_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ("--model", folder / "model")
    fails("the text is empty", "draw", "--text", "", *model)
    fails("tokens; expected at most 21", "draw", "--text", "0123456789" * 9, *model)
    fails("does not end with .png", "draw", "--text", "a", "--out", "a.jpg", *model)
    fails("picture not found", "caption", folder / "none.png", *model)
    fails("is not a picture", "ask", folder / "run.yaml", "--question", "What?", *model)
    fails("the text is empty", *("ask", folder / "pictures" / "0.png", "--question", " "), *model)
    fails("no model directory at", "caption", folder / "pictures" / "0.png", "--model", "nowhere")
    fails("does not exist", "chat", "--out-dir", folder / "none", *model)
    monkeypatch.setattr("sys.stdin", io.StringIO("@none.png\n"))
    fails("picture not found", "chat", *model)
    fails("config file not found", "train", "mllm", "--config", folder / "none.yaml")
