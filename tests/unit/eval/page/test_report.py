"""The page holds what the report holds, in words a reader and a screen reader find."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report import (
    Bucket,
    EvalReport,
    Failure,
    Flag,
    ItemResult,
    MetricResult,
)
from latentspeech.core.eval.scorer import Score
from latentspeech.core.eval.text_table import TextTable
from latentspeech.eval.page import report as page_module
from latentspeech.eval.page.audio import read_clip, spectrograms
from latentspeech.eval.page.examples import AudioBudget, worst_first
from latentspeech.eval.page.report import write_html

HOLE = "the weights utmos22_strong are not on this machine; run: fetch <them> & wait"


def metric(key, name, value, higher=True, hole=None, buckets=()):
    return MetricResult(
        key=key,
        name=name,
        unit="%" if key.startswith("wer") else "",
        higher_is_better=higher,
        held_against="reference",
        value=value,
        interval=None if value is None else (value - 1, value + 1),
        group_interval=None,
        num_scored=0 if value is None else 4,
        num_failed=1,
        totals={"insertions": 2},
        description={"metric": name, "model": "M"},
        hole=hole,
        buckets=list(buckets),
    )


@pytest.fixture
def report(tmp_path):
    """Five utterances: the third is the worst to understand, the last could not be scored."""
    utterances = []
    for place, errors in enumerate([10.0, 0.0, 250.0, 20.0, None]):
        for role in ("ref", "hyp"):
            tone = 0.3 * torch.sin(torch.arange(12000) * (0.05 + 0.02 * place))
            write_audio(tmp_path / f"{role}{place}.wav", tone, 24000)
        scores = {}
        if errors is not None:
            scores["WER-W"] = Score(errors, {"recognised": f"heard <{place}>"})
            scores["PESQ"] = Score(1 + place / 10)
        utterance = ItemResult(
            id=f"u{place}",
            hypothesis=f"hyp{place}.wav",
            reference=f"ref{place}.wav",
            text='say "<b>this</b>" & that',
            group=f"s{place % 2}",
            facts={"duration_s": 0.5 + place},
            scores=scores,
        )
        utterances.append(utterance)
    buckets = [Bucket("duration", "below 2 s", 5.0, None, 2), Bucket("sex", "female", 7.0, None, 1)]
    metrics = [
        metric("pesq", "PESQ", 1.15, buckets=buckets),
        metric("wer-w", "WER-W", 70.0, higher=False),
        metric("utmos", "UTMOS", None, hole=HOLE),
    ]
    failures = [Failure("u4", "PESQ", "reference audio is silent; give speech")]
    run = {
        "command": "latentspeech score --hyp <folder>",
        "commit": "abc123",
        "date": "2026-01-02T03:04:05+00:00",
        "hardware": "a CPU, 2 cores",
        "seconds": 1.5,
        "jobs": 1,
        "peak_memory_bytes": 2**20,
        "versions": {"torch": "2.11"},
    }
    settings = {"seed": 0, "list": {"file": "items.jsonl", "sha256": "f" * 64, "protocol": "mini"}}
    flags = [Flag("u3", "PESQ", "hypothesis is 33% shorter than the reference")]
    return EvalReport(metrics, utterances, failures, settings, run, flags=flags)


class Page(HTMLParser):
    """Tags with their attributes, and the text of the page without style and script."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "path", "use"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def words(self):
        return " ".join(" ".join(self.text).split())


def make_page(report, tmp_path, **options):
    path = tmp_path / "page.html"
    write_html(report, path, audio_root=tmp_path, **options)
    return Page(path.read_text(encoding="utf-8"))


def test_everything_of_the_report_is_on_the_page(report, tmp_path):
    page = make_page(report, tmp_path, title="A title")
    assert page.open == []
    words = page.words()
    for expected in (
        "A title",
        "latentspeech score --hyp <folder>",
        "abc123",
        "a CPU, 2 cores",
        "2026-01-02",
        "70.000 %",
        "69.000 to 71.000",
        HOLE,
        "reference audio is silent",
        "1 scores say less than they seem to",
        "4, 1 flagged",
        "hypothesis is 33% shorter than the reference",
        'say "<b>this</b>" & that',
        "heard <2>",
        "below 2 s",
        "female",
        "insertions 2",
        "mini, ffffffffffffffff",
    ):
        assert expected in words, expected
    assert not [attributes for attributes in page.all("b") if attributes]  # texts are escaped


def test_the_worst_utterance_comes_first_and_the_unscored_last(report):
    ranking = worst_first(report)
    assert [utterance.id for utterance in ranking.utterances] == ["u2", "u3", "u0", "u1", "u4"]
    assert ranking.name == "WER-W"
    without_wer = replace(report, metrics=[report.metrics[0]])
    assert worst_first(without_wer).utterances[0].id == "u0"  # PESQ: low is bad
    nothing = replace(report, metrics=[report.metrics[2]])
    assert [u.id for u in worst_first(nothing).utterances] == ["u0", "u1", "u2", "u3", "u4"]


def test_players_and_spectrograms_have_names(report, tmp_path):
    page = make_page(report, tmp_path, num_examples=2)
    players = page.all("audio")
    assert [player["aria-label"] for player in players] == [
        "reference of u2",
        "under test of u2",
        "reference of u3",
        "under test of u3",
    ]
    assert all(player["src"].startswith("data:audio/flac;base64,") for player in players)
    pictures = page.all("img")
    assert len(pictures) == 4
    assert all(picture["src"].startswith("data:image/png;base64,") for picture in pictures)
    assert "Spectrogram, under test of u2: 0 to 0.5 s, 0 to 12 kHz" in pictures[1]["alt"]


def test_histograms_and_scatter_are_drawn_in_the_pages_colours(report, tmp_path):
    page = make_page(report, tmp_path)
    said = [picture["aria-label"] for picture in page.all("svg")]
    assert len(said) == 3
    assert said[0].startswith("Histogram of PESQ over 4 utterances, from 1 to 1.3")
    assert said[2].startswith("WER-W of 4 utterances by their length")
    text = (tmp_path / "page.html").read_text()
    assert "currentColor" in text
    assert "#010203" not in text


def test_nothing_outside_the_page_is_named(report, tmp_path):
    page = make_page(report, tmp_path)
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action", "poster", "data")
    ]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    style = (tmp_path / "page.html").read_text().split("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style


def test_tables_have_headings(report, tmp_path):
    page = make_page(report, tmp_path, tables=[TextTable("Beside", ["system", "x"], [["a", "1"]])])
    scopes = [heading.get("scope") for heading in page.all("th")]
    assert set(scopes) == {"col", "row"}
    labels = [table["aria-label"] for table in page.all("table")]
    assert "Beside" in labels
    assert len(labels) == len(set(labels)) == 7


def test_several_systems_have_a_common_table_and_a_section_each(report, tmp_path):
    other = replace(report, metrics=[replace(report.metrics[0], value=3.0)])
    page = make_page({"one": report, "two": other}, tmp_path, num_examples=2)
    words = page.words()
    assert "All systems" in words
    assert "not measured" in words
    assert [section["aria-label"] for section in page.all("section")] == ["one", "two"]
    targets = {attributes["id"] for attributes in page.all("section")}
    assert {link["href"].removeprefix("#") for link in page.all("a")} == targets
    assert len(page.all("article")) == 2  # the examples are shared out


def test_missing_audio_is_said_and_does_not_end_the_page(report, tmp_path):
    (tmp_path / "hyp2.wav").unlink()
    words = make_page(report, tmp_path).words()
    assert "under test: hyp2.wav cannot be read" in words
    only_reference = make_page(report, tmp_path, num_examples=1)
    assert len(only_reference.all("audio")) == 1


def test_the_audio_of_a_page_is_limited_and_the_page_says_so(report, tmp_path, monkeypatch):
    size = len(read_clip("reference", tmp_path / "ref2.wav").flac)
    monkeypatch.setattr(page_module, "MAX_AUDIO_BYTES", 5 * size)
    page = make_page(report, tmp_path)
    assert 2 <= len(page.all("audio")) <= 6
    assert "no more audio fits" in page.words()
    budget = AudioBudget(2 * size)
    clip = read_clip("reference", tmp_path / "ref2.wav")
    assert budget.take([clip, clip])
    assert not budget.take([clip])


def test_long_audio_is_cut_and_named_so(tmp_path):
    write_audio(tmp_path / "long.wav", torch.zeros(25 * 8000), 8000)
    clip = read_clip("reference", tmp_path / "long.wav")
    assert clip.cut
    assert (clip.seconds, len(clip.audio)) == (25.0, 20 * 8000)


def test_spectrograms_of_different_lengths_share_their_axes(tmp_path):
    short, long = torch.zeros(2400), 0.5 * torch.sin(torch.arange(24000) * 0.3)
    for name, audio in (("short", short), ("long", long)):
        write_audio(tmp_path / f"{name}.wav", audio, 24000)
    clips = [read_clip(name, tmp_path / f"{name}.wav") for name in ("short", "long")]
    pictures = spectrograms(clips, "u")
    sizes = [_png_size(picture.address) for picture in pictures]
    assert sizes[0] == sizes[1]
    assert "0 to 1.0 s" in pictures[0].said


def _png_size(address):
    import base64

    content = base64.b64decode(address.partition(",")[2])
    return content[16:24]


def test_long_lists_are_cut_in_the_page_and_counted(report, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MAX_ROWS", 2)
    words = make_page(report, tmp_path).words()
    assert "3 more are in the JSON file" in words
    assert re.search(r"\(2 of 5\)", words)


def test_tables_alone_make_a_page_and_nothing_does_not(tmp_path):
    path = tmp_path / "page.html"
    write_html({}, path, tables=[TextTable("Only", ["a"], [["1"]], ["a note"])])
    assert "a note" in Page(path.read_text()).words()
    with pytest.raises(ConfigError, match="nothing to show"):
        write_html({}, path)


def test_the_same_report_gives_the_same_page(report, tmp_path):
    for name in ("one", "two"):
        write_html(report, tmp_path / f"{name}.html", audio_root=tmp_path)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
