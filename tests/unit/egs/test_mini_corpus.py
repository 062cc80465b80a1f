"""The maker of the mini corpus: resuming after SIGKILL, imports, texts, plan, audio clean-up."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.data.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[3]


# A source that needs nothing installed: tones, some of them silent; each takes 20 ms.
FAKE_SPEECH = """
import sys, time
from pathlib import Path
import numpy as np
from egs.mini.local.corpus.writer import CorpusWriter
from egs.mini.local.corpus.summary import write_summary
from egs.mini.local.sources.protocol import Waveform
from egs.mini.local.corpus.fill import add_speech

class Tones:
    licence = "CC0"
    max_minutes_per_voice = None
    def voices(self):
        return ["high", "low"]
    def synthesize(self, text, voice):
        time.sleep(0.02)
        if "5" in text:
            return Waveform(np.zeros(16000, np.float32), 16000)
        pitch = 0.2 if voice == "high" else 0.05
        return Waveform(np.sin(pitch * np.arange(16000)).astype(np.float32) / 2, 16000)

with CorpusWriter(Path(sys.argv[1])) as writer:
    sentences = [f"Sentence {n}." for n in range(60)]
    add_speech("tones", Tones(), sentences, writer, lambda: writer.hours >= 1, 2)
    write_summary(writer, Path(sys.argv[1]))
"""


def start(corpus: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", FAKE_SPEECH, str(corpus)], env=environment)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_corpus(tmp_path):
    corpus = tmp_path / "corpus"
    manifest = corpus / "manifest.jsonl"
    sizes = []
    for _ in range(2):
        before = manifest.read_bytes().count(b"\n") if manifest.exists() else 0
        process = start(corpus)
        deadline = time.monotonic() + 60
        while not (manifest.exists() and manifest.read_bytes().count(b"\n") >= before + 8):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        # What a kill leaves is whole: every complete line has its audio.
        lines = manifest.read_text().split("\n")[:-1]
        for line in lines:
            assert soundfile.info(corpus / json.loads(line)["audio"]).frames > 0
        sizes.append(len(lines))
    assert 8 <= sizes[0] < sizes[1] < 100
    # A kill in the middle of a write, which is too short to hit by chance.
    kept = [json.loads(line) for line in manifest.read_text().split("\n")[:-1]]
    with manifest.open("a") as file:
        file.write('{"id": "tones-00')
    (corpus / "low" / ".tmp-dead-x.flac").write_bytes(b"half")
    (corpus / kept[0]["audio"]).unlink()
    assert start(corpus).wait(timeout=60) == 0
    utterances = read_manifest(corpus)
    planned = {f"tones-{n:05d}" for n in range(120) if "5" not in str(n % 60)}
    assert {item.id for item in utterances} == planned
    assert len(utterances) == len(planned)
    assert not list(corpus.rglob(".tmp*"))
    # What was there before was not made again.
    rows = [json.loads(line) for line in manifest.read_text().split("\n")[:-1]]
    assert rows[: len(kept) - 1] == kept[1:]
    summary = json.loads((corpus / "corpus.json").read_text())
    assert summary["num_utterances"] == len(planned)
    assert set(summary["sources"]["tones"]["hours_by_voice"]) == {"high", "low"}


def test_two_writers_at_once_are_refused(local, tmp_path):
    writer = local("corpus.writer").CorpusWriter
    with writer(tmp_path), pytest.raises(DataError, match="another process"):
        writer(tmp_path)
    with writer(tmp_path) as again:
        assert again.hours == 0


def test_a_damaged_line_in_the_middle_is_an_error_and_not_dropped(local, tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"id": 3\n{"id": "x"}\n')
    with pytest.raises(DataError, match="line 1 is damaged"):
        local("corpus.writer").CorpusWriter(tmp_path)
    assert (tmp_path / "manifest.jsonl").read_text().startswith('{"id": 3\n')


def test_audio_is_cut_to_the_speech_resampled_and_held_below_full_scale(local):
    prepare = local("corpus.writer").prepare
    tone = 1.5 * torch.sin(0.3 * torch.arange(16000))
    silence = torch.zeros(8000)
    audio, start_s = prepare(torch.cat([silence, tone, silence]), 16000)
    assert start_s == pytest.approx(0.35, abs=0.001)
    assert audio.numel() / 24000 == pytest.approx(1.3, abs=0.01)
    assert float(audio.abs().max()) == pytest.approx(0.95, abs=1e-4)
    quiet, _ = prepare(0.01 * tone, 16000)
    assert float(quiet.abs().max()) < 0.02  # quiet stays quiet
    for useless in (torch.zeros(16000), torch.zeros(0), torch.full((16000,), float("nan"))):
        assert prepare(useless, 16000)[0].numel() == 0


def test_times_of_words_move_with_the_cut(local, tmp_path):
    silence = torch.zeros(8000)
    tone = 0.5 * torch.sin(0.3 * torch.arange(16000))
    row = {"id": "a", "speaker": "s", "text": "one two", "source": "x", "licence": "CC0-1.0"}
    with local("corpus.writer").CorpusWriter(tmp_path) as writer:
        writer.add(
            torch.cat([silence, tone, silence]), 16000, row | {"symbol_ends_s": (0.1, 1.0, 2.0)}
        )
    (utterance,) = read_manifest(tmp_path)
    assert utterance.symbol_ends_s == pytest.approx((0.0, 0.65, 1.3), abs=0.001)


def foreign_corpus(folder: Path) -> Path:
    """As others make them: another rate and format, no licence, a word error rate."""
    (folder / "anna").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for number, wer in enumerate([0.0, 0.1, 0.8, 0.0]):
        soundfile.write(folder / "anna" / f"{number}.wav", rng.uniform(-0.3, 0.3, 48000), 48000)
        rows.append(
            {
                "id": f"a{number}", "audio": f"anna/{number}.wav", "speaker": "anna",
                "text": "Good morning.", "source": "radio", "duration_s": 1.0, "wer": wer,
            }
        )  # fmt: skip
    (folder / "anna" / "3.wav").write_bytes(b"RIFF")
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_an_import_takes_what_is_good_once(local, tmp_path):
    writer = local("corpus.writer").CorpusWriter
    import_corpus = local("corpus.importing").import_corpus
    foreign = foreign_corpus(tmp_path / "foreign")
    with writer(tmp_path / "own") as own:
        assert import_corpus(foreign, own, 1.0) == 2  # one is misread, one is unreadable
        assert import_corpus(foreign, own, 1.0) == 0
        assert own.hours == pytest.approx(2 / 3600)
    first, second = read_manifest(tmp_path / "own")
    assert (first.id, second.id) == ("a0", "a1")
    assert (first.source, first.speaker) == ("imported", "anna")
    assert soundfile.info(tmp_path / "own" / first.audio).samplerate == 24000
    # A corpus of ours keeps its sources and licences; enough hours are enough.
    with writer(tmp_path / "third") as third:
        assert import_corpus(tmp_path / "own", third, 0.5 / 3600) == 1


def test_built_in_sentences_are_varied_and_clean(local):
    texts = local("corpus.texts")
    sentences = texts.built_in_sentences()
    assert 100 <= len(sentences) <= 150
    assert texts.unique(sentences) == sentences
    for sentence in sentences:
        assert 3 <= len(sentence.split()) <= 25
        assert re.fullmatch(r"[A-Z][A-Za-z ,;:'-]+[.?!]", sentence), sentence
    assert sum(sentence.endswith("?") for sentence in sentences) >= 10
    numbers = re.compile(r"\b(one|two|three|four|five|six|seven|ten|twelve|twenty|hundred)\b", re.I)
    assert sum(bool(numbers.search(sentence)) for sentence in sentences) >= 8
    letters = set("".join(sentences).lower())
    assert set("abcdefghijklmnopqrstuvwxyz") <= letters


def test_sentences_that_can_be_read_in_two_ways_are_left_out(local):
    clean = local("corpus.texts").clean_sentences
    text = (
        "Call me Ishmael. Some years ago--never mind how long\u2014I went to sea. "
        "In 1851 it ended. A year. Mr. Starbuck was there. "
        "The NATO pact holds. He read Part IV again today. Two words. "
        "\u201cWhat do you see?\u201d he asked. It\u2019s a whale, sir!"
    )
    assert list(clean(text)) == [
        "Call me Ishmael.",
        "Some years ago, never mind how long, I went to sea.",
        "It's a whale, sir!",
    ]


def test_the_order_of_sentences_depends_on_the_seed_alone(local):
    texts = local("corpus.texts")
    sentences = texts.built_in_sentences()
    assert texts.shuffled(sentences, 1) == texts.shuffled(sentences, 1)
    assert texts.shuffled(sentences, 1) != texts.shuffled(sentences, 2)
    assert sorted(texts.shuffled(sentences, 1)) == sorted(sentences)


def test_the_plan_gives_all_voices_a_turn_and_none_a_sentence_twice(local):
    plan = local("corpus.plan")
    sentences = [f"s{n}" for n in range(8)]
    for num_voices in (1, 3, 4):
        voices = [f"v{n}" for n in range(num_voices)]
        planned = list(plan.plan_utterances("x", sentences, voices))
        assert len({(item.text, item.voice) for item in planned}) == 8 * num_voices
        assert len({item.id for item in planned}) == 8 * num_voices
        assert [item.voice for item in planned[:num_voices]] == voices
    shares = [plan.share(sentences, name, ["a", "b", "c"]) for name in "abc"]
    assert sorted(text for part in shares for text in part) == sentences


def test_asterisk_lines_without_words_are_skipped(local):
    parse = local("sources.recordings.asterisk").parse_transcript
    lines = [
        "; Core sounds",
        "",
        "beep: [a tone]",
        "auth-thankyou: Thank you.",
        "digits/1: one",
        "at-tone: At the tone, the time will be exactly...",
    ]
    assert list(parse(lines)) == [
        ("auth-thankyou", "Thank you."),
        ("digits/1", "one"),
        ("at-tone", "At the tone, the time will be exactly"),
    ]


def test_source_names_are_checked_and_ordered_by_cost(local):
    opening = local("sources.catalogue")
    assert opening.parse_source_names("kokoro,flite") == ["flite", "kokoro"]
    with pytest.raises(ConfigError, match="espeak"):
        opening.parse_source_names("flite,espeak")


def test_missing_sources_name_the_command_that_installs_them(local, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    open_source = local("sources.catalogue").open_source
    with pytest.raises(DataError, match=r"install_sources\.sh flite"):
        open_source("flite", tmp_path, tmp_path)
    with pytest.raises(DataError, match=r"install_sources\.sh asterisk"):
        open_source("asterisk", tmp_path, tmp_path)


def test_a_broken_recording_is_left_out_and_a_full_source_ends(local, tmp_path, caplog):
    protocol, speaking = local("sources.protocol"), local("corpus.fill")
    writer = local("corpus.writer").CorpusWriter
    rng = np.random.default_rng(0)

    class Steps:
        licence = "CC0"

        def recordings(self):
            for name in "abcde":
                yield protocol.Recording(name, "steps", kind="effect")
            yield protocol.Recording("hiss", "nobody")

        def load(self, recording):
            if recording.name == "b":
                raise DataError("steps: b is damaged")
            return protocol.Waveform(rng.uniform(-0.1, 0.1, 8000).astype(np.float32), 8000)

    with writer(tmp_path) as own, caplog.at_level("INFO"):
        add = speaking.add_recordings
        add("steps", Steps(), own, lambda: own.source_hours("steps") >= 1.5 / 3600)
        assert [row["id"] for row in own.rows] == ["steps-a", "steps-c"]
        add("steps", Steps(), own, lambda: False)
        # Noise is no speech, whatever its name says; the damaged one is tried again.
        assert [row["id"] for row in own.rows][2:] == ["steps-d", "steps-e"]
    assert caplog.text.count("b is damaged") == 2
    assert "1 without speech" in caplog.text
    rows = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert {(row["kind"], row["native_rate_hz"]) for row in rows} == {("effect", 8000)}


def make_corpus(out: Path, downloads: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "egs.mini.local.corpus.make", "--out", str(out), *arguments]
    return subprocess.run(
        [*command, "--downloads", str(downloads)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def test_a_missing_source_is_named_and_the_others_go_on(tmp_path):
    out = tmp_path / "corpus"
    arguments = ("--sources", "made_noise,sky", "--hours_of", "made_noise=0.005")
    done = make_corpus(out, tmp_path, *arguments)
    assert done.returncode == 2
    assert "install_sources.sh sky" in done.stderr
    assert "made without sky" in done.stderr.splitlines()[-1]
    summary = json.loads((out / "corpus.json").read_text())
    assert summary["sources"].keys() == {"made_noise"}
    assert summary["hours"] == pytest.approx(0.0056, abs=1e-3)  # two of ten seconds
    assert summary["hours_by_kind"] == {"noise": summary["hours"]}
    assert list(summary["hours_by_licence"]) == ["CC0-1.0 (made by this recipe)"]


def test_hours_of_a_source_are_read_and_checked(local):
    parse = local("corpus.make").parse_hours_of
    assert parse("queen=2, kokoro=0.5,") == {"queen": 2.0, "kokoro": 0.5}
    for wrong in ("kokoro=many", "kokoro", "nobody=1", "queen=-1", "queen=inf"):
        with pytest.raises(ConfigError, match="SOURCE=HOURS"):
            parse(wrong)


def test_checksums_of_what_was_downloaded_are_in_the_summary(local, tmp_path):
    (tmp_path / "sky").mkdir()
    (tmp_path / "sky" / "SHA256SUMS").write_text("ab12  sky_1.deb\n")
    row = {"id": "x", "speaker": "s", "text": "", "source": "sky", "licence": "free"}
    with local("corpus.writer").CorpusWriter(tmp_path / "corpus") as writer:
        assert writer.add(torch.rand(24000) - 0.5, 11025, row)
        local("corpus.summary").write_summary(writer, tmp_path)
    summary = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    assert summary["package_sha256"] == {"sky_1.deb": "ab12"}


def test_symbols_end_where_they_were_spoken_to_their_end(local):
    symbol_ends = local("sources.symbol_times").symbol_ends
    # start mark, "ab", space, "c," and end mark, in frames of 25 ms
    ends = symbol_ends("ab c,", [10, 2, 3, 1, 4, 6, 8])
    assert ends == (0.3, 0.375, 0.4, 0.5, 0.85)
    # A mark that stands alone goes to the word before it, the space before it with it.
    assert symbol_ends("a - c", [0, 1, 1, 1, 1, 1, 0]) == (0.025, 0.075, 0.1, 0.125)
    with pytest.raises(ValueError, match="3 durations for 2 phonemes"):
        symbol_ends("ab", [1, 2, 3])
