"""The page of a server in headless Chromium: speech is heard, seen and kept, voices are stored."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect, sync_playwright

from latentspeech.audio.io import write_audio
from tests.running_server import VOICE, Running, running_server
from tests.tiny_models import voice_like

pytestmark = pytest.mark.slow

TEXT = "The tide comes in at six."
# What is played, and when.
LISTEN = """() => {
  const start = AudioBufferSourceNode.prototype.start;
  window.heard = [];
  AudioBufferSourceNode.prototype.start = function (at) {
    window.heard.push([at, this.buffer.duration]);
    return start.call(this, at);
  };
}"""
COLOURS = """() => {
  const canvas = document.getElementById("spectrogram");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(data.filter((_, i) => i % 4 === 1)).size;
}"""
UNNAMED = """() => [...document.querySelectorAll("input, select, textarea, button, a, canvas")]
  .filter((item) => item.offsetParent
    && !(item.labels?.length || item.textContent.trim() || item.ariaLabel))
  .map((item) => item.outerHTML)"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def opened(running: Running) -> Iterator[Page]:
    """The page on a phone; nothing may go wrong in it or be fetched from elsewhere."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    problems: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        page.on("console", lambda line: line.type == "error" and problems.append(line.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(running.url)
        page.evaluate(LISTEN)
        yield page
        browser.close()
    assert problems == []
    assert all(url.startswith((running.url, "blob:", "data:")) for url in asked)


def test_it_fits_a_phone_and_everything_has_a_name(opened: Page) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    assert opened.evaluate(UNNAMED) == []


def test_speech_is_heard_without_gaps_seen_and_kept(running: Running, opened: Page) -> None:
    opened.locator("#text").fill(TEXT)
    opened.locator("#text").press("Control+Enter")
    expect(opened.locator("#status")).to_contain_text("s of speech", timeout=30_000)
    samples = np.concatenate(list(running.speaker.stream(TEXT, running.voice)))
    heard = opened.evaluate("window.heard")
    assert sum(length for _, length in heard) == pytest.approx(len(samples) / 24_000, abs=1e-3)
    ends = [start + length for start, length in heard]
    assert all(start >= end - 1e-6 for (start, _), end in zip(heard[1:], ends, strict=False))
    assert opened.evaluate(COLOURS) > 20
    with opened.expect_download() as download:
        opened.locator("#download").focus()
        opened.keyboard.press("Enter")
    kept, rate = soundfile.read(download.value.path(), dtype="float32")
    assert rate == 24_000
    np.testing.assert_allclose(kept, samples, atol=1e-3)
    assert "synthetic speech" in soundfile.SoundFile(download.value.path()).comment


def test_escape_stops(opened: Page) -> None:
    opened.locator("#text").fill("A long text of many words. " * 100)
    opened.locator("#speak").click()
    expect(opened.locator("#status")).to_contain_text("First audio", timeout=30_000)
    opened.keyboard.press("Escape")
    expect(opened.locator("#stop")).to_be_disabled()


def test_a_voice_is_stored_with_consent_and_deleted(opened: Page, tmp_path: Path) -> None:
    recording = tmp_path / "ann.wav"
    write_audio(recording, voice_like(3), 24_000)
    opened.locator("#own-voice summary").press("Enter")
    opened.locator("#file").set_input_files(recording)
    opened.locator("#name").fill("ann")
    opened.locator("#consent").fill("It is my own voice")
    opened.locator("#consent").press("Enter")  # without consent nothing is sent
    assert not opened.evaluate("document.getElementById('voice-form').checkValidity()")
    opened.locator("#agreed").check()
    opened.locator("#consent").press("Enter")
    expect(opened.locator("#status")).to_contain_text("voice ann is stored", timeout=30_000)
    expect(opened.locator("#voice")).to_have_value("ann")
    opened.locator("#delete").click()
    expect(opened.locator("#status")).to_contain_text("voice ann is deleted")
    expect(opened.locator("#voice")).to_have_value(VOICE)
