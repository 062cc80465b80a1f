"""The page of a server in headless Chromium: speech is heard, seen, read along and kept; voices are
recorded and stored."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect, sync_playwright

from latentspeech.audio.io import write_audio
from latentspeech.text.reading import Delivery
from tests.running_server import VOICE, Running, running_server
from tests.tiny_models import voice_like

pytestmark = pytest.mark.slow

TEXT = "The tide comes in at six."
# What is played, and when; and which word was marked when, by the clock of the audio.
LISTEN = """() => {
  const start = AudioBufferSourceNode.prototype.start;
  window.heard = [];
  window.marked = [];
  AudioBufferSourceNode.prototype.start = function (at) {
    window.heard.push([at, this.buffer.duration]);
    window.clock = this.context;
    return start.call(this, at);
  };
  new MutationObserver((changes) => changes.forEach(({ target }) => target.ariaCurrent
    && window.marked.push([target.textContent, window.clock.currentTime - window.heard[0][0]])
  )).observe(document.getElementById("words"), { attributes: true, subtree: true });
}"""
# Which word is marked at given times, for the words of the page as they are.
MARKED_AT = """async ([given, times]) => {
  const { Words } = await import("/page/words.js");
  const place = document.createElement("p");
  const words = new Words(place);
  words.add(given);
  return times.map((time) => {
    words.mark(time);
    return [...place.querySelectorAll("[aria-current]")].map((item) => item.textContent).join();
  });
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
def opened(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page on a phone; nothing may go wrong in it or be fetched from elsewhere."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    microphone = tmp_path_factory.mktemp("microphone") / "voice.wav"
    write_audio(microphone, voice_like(3), 24_000)
    options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required",
               "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
               f"--use-file-for-fake-audio-capture={microphone}"]  # fmt: skip
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
        expect(page.locator("#voice")).to_have_value(VOICE)
        page.evaluate(LISTEN)
        yield page
        browser.close()
    assert problems == []
    assert all(url.startswith((running.url, "blob:", "data:")) for url in asked)


def test_it_fits_a_phone_and_everything_has_a_name(opened: Page) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    assert opened.evaluate(UNNAMED) == []


def speak(opened: Page, text: str, speed: str = "1") -> None:
    """Has a text spoken, and waits until all of its audio has come."""
    opened.evaluate("window.heard = []; window.marked = []")
    opened.locator("#speed").fill(speed)
    opened.locator("#text").fill(text)
    opened.locator("#text").press("Control+Enter")
    expect(opened.locator("#status")).to_contain_text("s of speech", timeout=30_000)


def test_speech_is_heard_without_gaps_seen_and_kept(running: Running, opened: Page) -> None:
    speak(opened, TEXT)
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


def test_words_are_marked_while_they_sound(running: Running, opened: Page) -> None:
    text = "One. Two. Three."  # the model of the tests speaks the first word of a sentence alone
    speak(opened, text, speed="0.5")
    expect(opened.locator("#stop")).to_be_disabled(timeout=30_000)  # all is heard
    chunks = running.speaker.stream_chunks(text, running.voice, delivery=Delivery(speed=0.5))
    words = [word for chunk in chunks for word in chunk.words]
    assert opened.locator("#words").inner_text().split() == text.split()
    assert opened.locator("#words [aria-current]").count() == 0
    starts = {word.text: word.start_s for word in words}
    marked = opened.evaluate("window.marked")
    assert marked
    assert [word for word, _ in marked] == [one for one in starts if one in dict(marked)]
    assert all(seconds >= starts[word] - 1e-3 for word, seconds in marked)


def test_one_word_is_marked_at_a_time(opened: Page) -> None:
    words = [{"word": "The", "start": 0.1, "end": 0.3}, {"word": "tide", "start": 0.4, "end": 1}]
    times = [None, 0.05, 0.1, 0.29, 0.3, 0.4, 0.99, 1, None, 0.2]
    expected = ["", "", "The", "The", "", "tide", "tide", "", "", "The"]
    assert opened.evaluate(MARKED_AT, [words, times]) == expected


def test_speed_is_chosen_by_keys(opened: Page) -> None:
    opened.locator("#speed").fill("1")
    opened.locator("#speed").press("ArrowRight")
    expect(opened.locator("#speed-shown")).to_have_text("1.05 times")
    opened.locator("#speed").press("Home")
    expect(opened.locator("#speed-shown")).to_have_text("0.50 times")


def test_escape_stops(opened: Page) -> None:
    opened.locator("#text").fill("A long text of many words. " * 40)
    opened.locator("#speak").click()
    expect(opened.locator("#status")).to_contain_text("First audio", timeout=30_000)
    opened.keyboard.press("Escape")
    expect(opened.locator("#stop")).to_be_disabled()


def test_a_voice_is_recorded_and_stored(opened: Page) -> None:
    opened.locator("#own-voice summary").press("Enter")
    opened.locator("#record").press("Enter")
    expect(opened.locator("#record")).to_have_text("Stop recording (2 s)")
    opened.locator("#record").press("Enter")
    expect(opened.locator("#record")).to_have_text("Record again")
    expect(opened.locator("#recording")).to_be_visible()
    opened.locator("#name").fill("recorded")
    opened.locator("#consent").fill("It is my own voice")
    opened.locator("#agreed").check()
    opened.locator("#consent").press("Enter")
    expect(opened.locator("#status")).to_contain_text("voice recorded is stored", timeout=30_000)
    speak(opened, TEXT)
    opened.locator("#delete").click()
    expect(opened.locator("#voice")).to_have_value(VOICE)
    opened.locator("#agreed").uncheck()
    opened.locator("#own-voice summary").press("Enter")


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
