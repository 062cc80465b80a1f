"""Fine-tuning: what a user's folder holds, what is left out and why, how times are found."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import latentspeech
from latentspeech.align import symbol_aligner
from latentspeech.core.errors import DataError
from latentspeech.data.manifest import CorpusUtterance, read_manifest
from latentspeech.tts.latent_writer import Sentence, write_steps
from recipes.fine_tune import align, check_data, transcripts
from tests.tiny_models import voice_like

RATE = 16_000


def write(path: Path, samples: torch.Tensor | np.ndarray | None = None, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = voice_like(2.0, rate).numpy() if samples is None else np.asarray(samples)
    soundfile.write(path, audio, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


def test_ljspeech_lines_find_files_by_name(tmp_path: Path) -> None:
    for name in ("wavs/a.wav", "wavs/b.flac", "wavs/c.wav"):
        write(tmp_path / name)
    (tmp_path / "metadata.csv").write_text('a|He said "no".|he said no\nb|Two, or so.\nd|Gone.\n')
    found = transcripts.read_folder(tmp_path)
    assert found.without_audio == ["d"]
    texts = {item.path.name: item.text for item in found.recordings}
    assert texts == {"a.wav": 'He said "no".', "b.flac": "Two, or so.", "c.wav": None}
    assert {item.speaker for item in found.recordings} == {tmp_path.name}


def test_recordings_of_a_phone_are_found(tmp_path: Path) -> None:
    for name in ("phone.m4a", "film.MP4", "page.webm", "old.3gp"):
        (tmp_path / name).write_bytes(b"sound")
    (tmp_path / "metadata.csv").write_text("phone|One.\nfilm|Two.\npage.webm|Three.\nold|Four.\n")
    found = transcripts.read_folder(tmp_path)
    assert found.without_audio == []
    assert {item.text for item in found.recordings} == {"One.", "Two.", "Three.", "Four."}


def test_a_header_names_columns_and_speakers(tmp_path: Path) -> None:
    for name in ("x/a.wav", "y/a.wav"):
        write(tmp_path / name)
    (tmp_path / "metadata.csv").write_text(
        'file_name,text,speaker\nx/a.wav,"One, two.",ann\ny/a.wav,Three.,\na.wav,Which?,bob\n'
    )
    found = transcripts.read_folder(tmp_path)
    rows = [(item.path.as_posix(), item.text, item.speaker) for item in found.recordings]
    assert rows == [("x/a.wav", "One, two.", "ann"), ("y/a.wav", "Three.", "y")]
    assert found.without_audio == ["a.wav"]  # two files have that name


def test_text_files_beside_recordings(tmp_path: Path) -> None:
    write(tmp_path / "ann/one.wav").with_suffix(".txt").write_text("\ufeffOne\n sentence.\n")
    write(tmp_path / "bob/one.ogg").with_suffix(".txt").write_text("Another.")
    rows = [(i.text, i.speaker) for i in transcripts.read_folder(tmp_path).recordings]
    assert rows == [("One sentence.", "ann"), ("Another.", "bob")]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n", "expected lines like"), ("file_name,text\n,hello\n", "no file name"), ("a|", None)],
)
def test_metadata_that_makes_no_sense(tmp_path: Path, text: str, message: str | None) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text(text)
    if message is None:
        assert transcripts.read_metadata(path)[0].text == ""
    else:
        with pytest.raises(DataError, match=message):
            transcripts.read_metadata(path)


def test_every_defect_is_named_and_counted(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "corpus"
    write(data / "stereo.flac", torch.stack([voice_like(3.0, 44_100)] * 2, 1).numpy(), 44_100)
    silence = torch.zeros(2 * RATE)
    write(data / "padded.wav", torch.cat((silence, voice_like(2.0, RATE), silence)))
    write(data / "silent.wav", silence)
    nan = voice_like(2.0, RATE)
    nan[100] = torch.nan
    write(data / "nan.wav", nan)
    write(data / "short.wav", voice_like(0.5, RATE))
    write(data / "long.wav", voice_like(21.0, RATE))
    write(data / "hum.wav", 0.2 * (torch.arange(2 * RATE) * 0.05).sin())
    write(data / "untold.wav")
    write(data / "empty.wav")
    (data / "broken.wav").write_bytes(b"RIFFnothing")
    names = ["stereo", "padded", "silent", "nan", "short", "long", "hum", "broken", "gone"]
    lines = [f"{name}|Some words." for name in names]
    (data / "metadata.csv").write_text("\n".join([*lines, "empty|..."]) + "\n")
    out.mkdir()
    report = check_data.make_corpus(data, out, 1.0, 20.0)
    assert {kind: len(found) for kind, found in report["left_out"].items()} == {
        "transcript without recording": 1,
        "silent": 1,
        "NaN or infinite samples": 1,
        "too short": 1,
        "too long": 1,
        "no speech": 1,
        "no transcript": 1,
        "empty transcript": 1,
        "unreadable": 1,
    }
    assert json.loads((out / "report.json").read_text()) == report
    corpus = {item.id: item for item in read_manifest(out)}
    assert corpus.keys() == {"stereo", "padded"}
    assert corpus["padded"].duration_s < 2.0 + 2 * check_data.KEPT_SILENCE_S + 0.05
    info = soundfile.info(out / corpus["stereo"].audio)
    assert (info.samplerate, info.channels) == (24_000, 1)
    assert info.frames / 24_000 == corpus["stereo"].duration_s


def test_best_path_is_the_best() -> None:
    scores = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    starts = symbol_aligner.best_path(scores)

    def total(starts: list[int]) -> float:
        ends = [*starts[1:], len(scores)]
        return sum(float(scores[a:b, n].sum()) for n, (a, b) in enumerate(zip(starts, ends)))  # noqa: B905

    every = [[0, a, b, c] for a in range(1, 9) for b in range(a + 1, 9) for c in range(b + 1, 9)]
    assert total(starts) == pytest.approx(max(map(total, every)))
    with pytest.raises(DataError, match="far too long"):
        symbol_aligner.best_path(scores[:3])


def make_items(count: int, speaker: str) -> list[CorpusUtterance]:
    return [
        CorpusUtterance(f"{speaker}{i}", f"{speaker}{i}.flac", speaker, "text", "custom", "own", 2)
        for i in range(count)
    ]


def test_split_holds_sentences_of_each_speaker_out() -> None:
    items = [*make_items(40, "ann"), *make_items(9, "bob"), *make_items(3, "eve")]
    parts = align.split(items, 5, seed=0)
    assert sorted(i.id for part in parts.values() for i in part) == sorted(i.id for i in items)
    counts = {
        (name, speaker): sum(item.speaker == speaker for item in part)
        for name, part in parts.items()
        for speaker in ("ann", "bob", "eve")
    }
    assert counts["test", "ann"] == 5
    assert counts["test", "bob"] == 3
    assert counts["test", "eve"] == 0  # a prompt beside the sentence would leave one to train on
    assert min(counts["train", name] for name in ("ann", "bob", "eve")) >= 2
    assert parts == align.split(items, 5, seed=0)
    with pytest.raises(DataError, match="too few recordings: ann 4"):
        align.split(items[:4], 5, seed=0)


@pytest.mark.slow
def test_the_aligner_finds_where_the_voice_put_its_symbols() -> None:
    """The shipped voice writes symbols among its latents, so when each begins is known."""
    speaker = latentspeech.load()
    model, rate = speaker.model, speaker.model.codec.config.frame_rate
    sentence = Sentence(
        "The tide comes in at six, and goes out at noon.", speaker.voice("heart"), 1
    )
    elements = [step[0] for step in write_steps(model, [sentence], model.sampling)]
    begins: list[float] = []
    frames = 0
    for element in elements:
        if element.latent is None:
            begins.append(frames / rate)
        else:
            frames += 1
    latents = np.stack([one.latent for one in elements if one.latent is not None])
    audio = torch.from_numpy(model.codec.decode(latents[None])[0])
    ids = model.tokenizer.encode(sentence.text)
    aligner = symbol_aligner.load_aligner()
    ends, fit = aligner.symbol_ends(audio, ids)
    assert len(ends) == len(ids) == len(begins) - 1  # EOD comes last
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(len(audio) / 24_000)
    differences = [abs(end - begin) for end, begin in zip(ends[:-1], begins[1:-1], strict=True)]
    assert sum(differences) / len(differences) < 1 / rate
    assert fit > symbol_aligner.MIN_FIT
    other = model.tokenizer.encode("Nobody expected an answer before the end of winter.")
    assert aligner.symbol_ends(audio, other)[1] < symbol_aligner.MIN_FIT
