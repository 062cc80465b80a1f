"""Which utterances of the mini corpus go into which cuts."""

import importlib
import json
from pathlib import Path

import pytest
import torch

import latentspeech
from latentspeech.core.errors import ConfigError, DataError


@pytest.fixture
def prepare(local, monkeypatch):
    """Runs prepare_cuts.py, in this process since loading all it needs takes seconds."""

    def run(corpus: Path, out: Path, *arguments: str) -> None:
        command = ["prepare_cuts.py", "--corpus", str(corpus), "--out", str(out), *arguments]
        monkeypatch.setattr("sys.argv", command)
        local("corpus.prepare_cuts").main()

    return run


def cuts_in(folder: Path) -> dict[str, list]:
    cuts = importlib.import_module("latentspeech.data.cuts")
    return {
        path.name.removeprefix("cuts_").removesuffix(".jsonl.gz"): list(cuts.read_cuts(path))
        for path in sorted(folder.glob("cuts_*.jsonl.gz"))
    }


def corpus_of(local, folder: Path, lines: list[dict]) -> Path:
    """A tone for each line, two seconds at 24 kHz if the line says nothing else."""
    with local("corpus.writer").CorpusWriter(folder) as writer:
        for number, line in enumerate(lines):
            seconds = line.pop("seconds", 2.0)
            tone = 0.3 * torch.sin(0.2 * torch.arange(round(24000 * seconds)))
            row = {"id": f"u{number:02d}", "licence": "any", "text": f"So it is, {number}.", **line}
            assert writer.add(tone, 24000, row)
    return folder


def test_cuts_of_a_corpus_are_split_filtered_and_summed(local, prepare, tmp_path):
    lines = [
        {"speaker": f"voice_{number % 4}", "source": "flite", "seconds": 1.5}
        for number in range(24)
    ]
    lines[0]["seconds"] = 0.7
    corpus = corpus_of(local, tmp_path / "corpus", lines)
    prepare(corpus, tmp_path / "data", "--test_speakers", "voice_2")
    speakers = json.loads((tmp_path / "data" / "speakers.json").read_text())
    assert speakers["test"] == {"voice_2": pytest.approx(9.0, abs=0.1)}
    assert set(speakers["train"]) == {"voice_0", "voice_1", "voice_3"}
    counts = {name: len(found) for name, found in cuts_in(tmp_path / "data").items()}
    assert counts == {
        "train": 16, "dev": 1, "test": 6,  # the short one is left out
        "codec_train": 16, "codec_dev": 1, "codec_test": 6, "codec_test_synthetic": 6,
    }  # fmt: skip
    with pytest.raises(DataError, match="--min_s"):
        prepare(corpus, tmp_path / "other", "--min_s", "5")
    assert not (tmp_path / "other").exists()


@pytest.fixture
def mixed(local, tmp_path) -> Path:
    """Speech that may be trained on and speech that may not, with text and without, and music."""
    lines = []
    for number in range(8):
        lines += [
            {"source": "kokoro", "speaker": f"k{number % 2}"},
            {"source": "kokoro", "speaker": "bf_alice"},
            {"source": "queen", "speaker": "queen_joe", "native_rate_hz": 11025},
            {"source": "sky", "speaker": "sky_part0", "text": "", "native_rate_hz": 11025},
            {"source": "asterisk", "speaker": "asterisk_allison", "native_rate_hz": 16000},
            {"source": "piper", "speaker": "piper_joe"},
            {"source": "sonic_pi", "speaker": "sonic_pi", "text": "", "kind": "music"},
            {"source": "warzone_music", "speaker": "warzone_music", "text": "", "kind": "music"},
        ]
    return corpus_of(local, tmp_path / "corpus", lines)


def sources_in(cuts: list) -> set[str]:
    return {cut.supervisions[0].custom["source"] for cut in cuts}


def test_what_is_shipped_is_trained_on_free_terms_only(mixed, prepare, tmp_path):
    prepare(mixed, tmp_path / "data")
    found = cuts_in(tmp_path / "data")
    assert sources_in(found["codec_train"]) == {"kokoro", "queen", "sky", "sonic_pi"}
    assert sources_in(found["codec_dev"]) <= {"kokoro", "queen", "sky"}
    assert sources_in(found["codec_test_human"]) == {"asterisk"}
    assert sources_in(found["codec_test_synthetic"]) == {"kokoro", "piper"}
    assert sources_in(found["codec_test_other"]) == {"warzone_music"}
    heard = {cut.supervisions[0].speaker for cut in found["codec_train"] + found["codec_dev"]}
    assert "bf_alice" not in heard
    # Text-to-speech: a text, and not below 16 kHz; each part within that of the codec.
    assert sources_in(found["train"]) == {"kokoro"}
    assert sources_in(found["test"]) == {"kokoro", "asterisk", "piper"}
    for part in ("train", "dev", "test"):
        inside = {cut.id for cut in found.get(part, [])}
        assert inside <= {cut.id for cut in found[f"codec_{part}"]}
        assert all(cut.supervisions[0].text for cut in found.get(part, []))
    custom = {cut.supervisions[0].custom["source"]: cut.supervisions[0].custom
              for part in found.values() for cut in part}  # fmt: skip
    assert custom["sky"] == {
        "source": "sky", "licence": "any", "kind": "speech", "kind_of_voice": "human",
        "native_rate_hz": 11025,
    }  # fmt: skip
    assert custom["piper"]["kind_of_voice"] == "synthetic"
    assert custom["sonic_pi"]["kind"] == "music"


def test_for_oneself_all_may_be_trained_on_and_old_parts_do_not_stay(mixed, prepare, tmp_path):
    prepare(mixed, tmp_path / "data")
    assert (tmp_path / "data" / "cuts_codec_test_other.jsonl.gz").exists()
    prepare(mixed, tmp_path / "data", "--all_licences")
    found = cuts_in(tmp_path / "data")
    assert sources_in(found["codec_train"]) == {
        "kokoro", "queen", "sky", "asterisk", "piper", "sonic_pi", "warzone_music",
    }  # fmt: skip
    assert {cut.supervisions[0].speaker for cut in found["codec_test"]} == {"bf_alice"}
    assert "codec_test_other" not in found


def test_a_source_without_terms_is_refused(local, prepare, tmp_path):
    corpus = corpus_of(local, tmp_path / "corpus", [{"source": "radio", "speaker": "anna"}] * 3)
    with pytest.raises(DataError, match="source radio"):
        prepare(corpus, tmp_path / "data")


def test_a_share_of_a_source_stays_the_same_when_the_corpus_grows(local, prepare, tmp_path):
    lines = [
        {"speaker": f"voice_{number % 4}", "source": ("queen", "sky")[number % 2]}
        for number in range(48)
    ]
    grown = [dict(line) for line in lines]
    small = corpus_of(local, tmp_path / "small", [dict(line) for line in lines[:32]])
    large = corpus_of(local, tmp_path / "large", grown)
    kept = []
    for corpus in (small, large):
        out = tmp_path / f"data_{corpus.name}"
        prepare(corpus, out, "--test_speakers", "voice_3", "--codec_shares", "queen=0.5")
        parts = cuts_in(out)
        ids: dict[str, set[str]] = {"queen": set(), "sky": set()}
        for cut in parts["codec_train"] + parts["codec_dev"]:
            ids[cut.supervisions[0].custom["source"]].add(cut.id)
        kept.append({cut.id for cut in parts["codec_train"]} & ids["queen"])
        assert len(ids["sky"]) == (8, 12)[corpus is large]
    assert 0 < len(kept[0]) < 16
    assert len(kept[0] - kept[1]) <= 1  # one may have become a dev utterance


@pytest.mark.parametrize("shares", ["queen", "queen=much", "nobody=0.5"])
def test_a_bad_share_is_answered_in_one_line(local, prepare, tmp_path, shares):
    corpus = corpus_of(local, tmp_path / "corpus", [{"speaker": "a", "source": "queen"}] * 2)
    with pytest.raises(ConfigError, match="--codec_shares"):
        prepare(corpus, tmp_path / "data", "--codec_shares", shares)


def test_what_a_test_voice_says_nobody_says_in_training(local, prepare, tmp_path):
    lines = [
        {"speaker": f"voice_{number % 4}", "source": "flite", "text": f"Line {number // 4}."}
        for number in range(24)
    ]
    lines[2]["text"] = "A line of its own."
    lines[6]["text"] = "line 2"  # what it says elsewhere, written otherwise
    corpus = corpus_of(local, tmp_path / "corpus", lines)
    prepare(corpus, tmp_path / "data", "--test_speakers", "voice_2", "--dev_fraction", "0.5")
    found = cuts_in(tmp_path / "data")
    texts = {name: {cut.supervisions[0].text for cut in found[name]} for name in found}
    assert texts["train"] | texts["dev"] == {"Line 0.", "Line 1."}
    assert len(texts["codec_train"]) > 2


@pytest.mark.slow
def test_old_recordings_of_one_person_get_times_and_must_say_their_text(local, prepare, tmp_path):
    speaker = latentspeech.load()
    voice = speaker.voice("heart")
    said = [
        "The tide comes in at six.",
        "He went out at noon.",
        "Nobody knows why.",
        "It was very late.",
    ]
    with local("corpus.writer").CorpusWriter(tmp_path / "corpus") as writer:
        for number in range(24):
            text = said[number % len(said)]
            spoken = speaker.synthesize(text, voice, seed=number % len(said))
            line = {"id": f"u{number:02d}", "licence": "any", "text": text, "source": "queen"}
            line |= {"speaker": "queen_bob", "native_rate_hz": 11025}
            if number in (1, 6):
                line["text"] = "Governments were expected to publish their annual reports."
            if number in (2, 7):
                line["speaker"] = "queen_scene_1"  # where several people speak
            if number == 3:
                line["speaker"] = "queen_henry"  # a test voice
            assert writer.add(torch.from_numpy(spoken.samples), 24000, line)
    prepare(tmp_path / "corpus", tmp_path / "data", "--min_train_rate_hz", "11025", "--align")
    found = cuts_in(tmp_path / "data")
    assert "test" not in found  # which stays at 16 kHz
    cuts = found["train"] + found.get("dev", [])
    assert {cut.id for cut in cuts} == {f"u{number:02d}" for number in range(24)} - {
        "u01", "u02", "u03", "u06", "u07",
    }  # fmt: skip
    for cut in cuts:
        (symbols,) = cut.supervisions[0].alignment.values()
        ends = [symbol.end for symbol in symbols]
        assert ends == sorted(ends)
        assert ends[-1] == pytest.approx(cut.duration, abs=0.01)
