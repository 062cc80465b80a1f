"""The page of a scored list of 50 utterances in headless Chromium, at a desk and on a phone."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from latentspeech.audio.io import write_audio
from latentspeech.cli.main import app
from latentspeech.core.eval.text_table import TextTable
from latentspeech.eval.page.report import write_html

NUM_UTTERANCES = 50
MAX_PAGE_BYTES = 15_000_000
RATE = 24_000

pytestmark = pytest.mark.slow

# Every player's sound is decoded as a whole, not only its header read.
DECODE = """async () => {
  const found = [];
  for (const player of document.querySelectorAll("audio")) {
    const bytes = Uint8Array.from(atob(player.src.split(",")[1]), (letter) => letter.charCodeAt(0));
    const context = new OfflineAudioContext(1, 1, 24000);
    const sound = await context.decodeAudioData(bytes.buffer);
    const peak = Math.max(...sound.getChannelData(0).slice(0, 24000));
    found.push([player.duration, sound.duration, peak]);
  }
  return found;
}"""
UNNAMED = """() => [
  ...[...document.images].filter((picture) => !picture.alt || !picture.naturalWidth),
  ...[...document.querySelectorAll("svg")].filter((picture) => !picture.getAttribute("aria-label")),
  ...[...document.querySelectorAll("audio, table, .scroll")].filter((item) => !item.ariaLabel),
  ...[...document.querySelectorAll("th")].filter((cell) => !cell.textContent.trim() || !cell.scope),
].map((item) => item.outerHTML.slice(0, 200))"""


def utterance_audio(number: int) -> torch.Tensor:
    """Speech-like: a gliding tone with overtones, switched on and off, 1.5 to 4 s."""
    generator = torch.Generator().manual_seed(number)
    time_s = torch.arange(int((1.5 + 0.05 * number) * RATE)) / RATE
    pitch_hz = 120 + 20 * torch.sin(2 * time_s) + number
    phase = 2 * torch.pi * torch.cumsum(pitch_hz, 0) / RATE
    voice = sum(torch.sin(k * phase) / k for k in range(1, 12)) * (time_s.remainder(0.6) < 0.45)
    return 0.2 * voice + 1e-3 * torch.randn(time_s.shape, generator=generator)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """page.html and report.json of `latentspeech score` on 50 pairs, one of them silent."""
    folder = tmp_path_factory.mktemp("page")
    for name in ("ref", "hyp"):
        (folder / name).mkdir()
    generator = torch.Generator().manual_seed(0)
    lines = []
    for number in range(NUM_UTTERANCES):
        audio = utterance_audio(number)
        noise = torch.randn(audio.shape, generator=generator) * 0.002 * (1 + number)
        write_audio(folder / f"ref/u{number:02d}.wav", audio * (number != 7), RATE)
        write_audio(folder / f"hyp/u{number:02d}.wav", (audio + noise).clamp(-1, 1), RATE)
        speaker, text = f"speaker {number % 5}", f"number {number} & <more>"
        lines.append(json.dumps({"id": f"u{number:02d}", "text": text, "speaker": speaker}))
    (folder / "texts.jsonl").write_text("\n".join(lines))
    arguments = ["score", "--ref", f"{folder}/ref", "--hyp", f"{folder}/hyp", "--quiet"]
    arguments += ["--transcripts", f"{folder}/texts.jsonl", "--metrics", "mel,si-sdr,stoi"]
    arguments += ["--html", f"{folder}/page.html", "--out", f"{folder}/report.json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output  # the silent one failed
    return folder


@pytest.fixture(scope="module")
def browser() -> Any:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["desk", "phone, dark"])
def page(request: pytest.FixtureRequest, browser: Any, folder: Path) -> Any:
    """The opened page; `complaints` and `asked_for` note what the browser said and fetched."""
    desk = request.param == "desk"
    size = {"width": 1280, "height": 900} if desk else {"width": 390, "height": 844}
    context = browser.new_context(viewport=size, color_scheme="light" if desk else "dark")
    context.set_offline(True)
    page = context.new_page()
    page.complaints, page.asked_for = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.asked_for.append(request.url))
    page.goto((folder / "page.html").as_uri())
    page.wait_for_function(
        "[...document.querySelectorAll('audio')].every((player) => player.duration > 0)"
    )
    yield page
    context.close()


def test_the_page_is_complete_and_asks_for_nothing(page: Any, folder: Path) -> None:
    assert page.complaints == []
    outside = [url for url in page.asked_for if not url.startswith(("data:", "file:"))]
    assert outside == []
    assert (folder / "page.html").stat().st_size < MAX_PAGE_BYTES
    assert page.locator("article").count() == 8
    assert page.locator("audio").count() == 16
    assert page.locator("table.metrics tbody tr").count() == 3
    assert page.locator("table.utterances tbody tr").count() == NUM_UTTERANCES
    assert page.locator("table.failures tbody tr").count() == 3
    assert page.locator("svg").count() == 4  # three histograms, one scatter
    assert page.evaluate(UNNAMED) == []


def test_every_player_sounds(page: Any) -> None:
    for stated_s, decoded_s, peak in page.evaluate(DECODE):
        assert 1 < stated_s < 5
        assert decoded_s == pytest.approx(stated_s, abs=0.01)
        assert peak >= 0
    loud = [peak for *_, peak in page.evaluate(DECODE) if peak > 0.1]
    assert len(loud) >= 15


def test_nothing_sticks_out_and_colours_follow_the_reader(page: Any) -> None:
    for item in page.locator("details").all():
        item.evaluate("(details) => { details.open = true }")
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
    levels = [sum(map(int, colour.strip("rgb()").split(",")[:3])) for colour in (background, ink)]
    assert abs(levels[0] - levels[1]) > 400, (background, ink)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (levels[0] < levels[1]) == dark


def test_tables_sort_by_a_press_and_by_the_keyboard(page: Any) -> None:
    page.locator("details", has=page.locator("table.utterances")).evaluate(
        "(d) => { d.open = true }"
    )
    table = page.locator("table.utterances")
    heading = table.locator("th[scope=col]").nth(4)

    def column() -> list[float]:
        cells = table.locator("tbody tr td:nth-child(5)").all_text_contents()
        return [float(cell) for cell in cells if cell]

    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column() == sorted(column(), reverse=True)
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(column())
    assert len(column()) == NUM_UTTERANCES - 1  # the silent one has no score and stays last
    assert table.locator("tbody tr").last.locator("th").text_content() == "u07"


def test_a_wide_table_and_long_words_stay_on_a_phone(browser: Any, tmp_path: Path) -> None:
    headings = [f"column {number}" for number in range(30)]
    notes = ["put model-" + "x" * 300 + ".safetensors into $FOLDER/" + "y" * 300]
    table = TextTable("Wide " * 40, headings, [["12345.678"] * 30], notes)
    write_html({}, tmp_path / "page.html", tables=[table])
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator(".scroll").evaluate("(box) => box.scrollWidth > box.clientWidth")
    context.close()
