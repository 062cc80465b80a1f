"""The corpora of codec training, each as a tiny folder in its published layout."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from latentspeech.audio.io import resample
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.data.audio_segments import AudioSegmentConfig, AudioSegments
from latentspeech.data.utterances import load_utterance, read_utterances
from tests.real_recordings import SAMPLE_RATE, real_music, real_recordings
from tests.unit.recipes.shell import ROOT


@pytest.fixture(scope="session")
def speech():
    return [recording.audio for recording in real_recordings(4)]


@pytest.fixture(scope="session")
def music():
    return real_music(20.0)


def put(path: Path, audio, rate: int = 48000, channels: int = 1) -> Path:
    """Writes audio (T,) of SAMPLE_RATE in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = resample(audio, SAMPLE_RATE, rate).clamp(-1, 1).numpy()
    soundfile.write(path, np.stack([samples] * channels, axis=1), rate)
    return path


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def dns4(folder: Path, speech, music) -> set[str]:
    root = folder / "datasets_fullband"
    put(root / "clean_fullband/read_speech/book_00002_chp_0001_reader_1_0.wav", speech[0])
    put(root / "clean_fullband/VocalSet_48kHz_mono/female1/scales/f1_scales_a.wav", speech[1])
    put(root / "noise_fullband/fan.wav", speech[2])
    truncate(put(root / "clean_fullband/read_speech/broken.wav", speech[3]))
    names = (
        "read_speech/book_00002_chp_0001_reader_1_0",
        "VocalSet_48kHz_mono/female1/scales/f1_scales_a",
    )
    return {f"dns4/{name}/0" for name in names}


def common_voice(folder: Path, speech, music) -> set[str]:
    root = folder / "en"
    names = [f"common_voice_en_{number}.mp3" for number in range(4)]
    for name, audio in zip(names[:3], speech, strict=False):
        put(root / "clips" / name, audio)
    head = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent\tlocale\tsegment\n"
    row = 'abc\t{}\tHe said "so.\t2\t0\t\t\t\ten\t\n'
    (root / "validated.tsv").write_text(head + "".join(row.format(name) for name in names))
    (root / "test.tsv").write_text(head + row.format(names[2]))
    (root / "dev.tsv").write_text(head)
    return {f"common_voice/en/common_voice_en_{number}/0" for number in range(2)}


def fsd50k(folder: Path, speech, music) -> set[str]:
    table = folder / "FSD50K.ground_truth/dev.csv"
    table.parent.mkdir(parents=True)
    rows = [("64760", "train"), ("16399", "val"), ("16401", "train")]
    lines = [f'{name},"Guitar,Music","/m/02sgy,/m/04rlf",{split}\n' for name, split in rows]
    table.write_text("fname,labels,mids,split\n" + "".join(lines))
    put(folder / "FSD50K.dev_audio/64760.wav", speech[0], 44100)
    put(folder / "FSD50K.dev_audio/16399.wav", speech[1], 44100)
    return {"fsd50k/64760/0"}


def audioset(folder: Path, speech, music) -> set[str]:
    head = "# Segments csv created Sun Mar  5 10:54:31 2017\n# num_ytids=4\n"
    head += "# YTID, start_seconds, end_seconds, positive_labels\n"
    ids = ["--PJHxphWEs", "Y1234567890", "-_abcdefgh_", "gone0000000"]
    lines = [f'{name}, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n' for name in ids]
    folder.mkdir(parents=True)
    (folder / "balanced_train_segments.csv").write_text(head + "".join(lines))
    put(folder / "audio/balanced_train_segments/Y--PJHxphWEs.wav", speech[0], 32000)
    put(folder / "audio/balanced_train_segments/Y1234567890.flac", speech[1], 32000)
    put(folder / "audio/balanced_train_segments/-_abcdefgh__30000_40000.mp3", speech[2], 32000)
    put(folder / "audio/eval_segments/Yevalevaleva.wav", speech[3], 32000)
    return {f"audioset/{name}/0" for name in ids[:3]}


def musdb18(folder: Path, speech, music) -> set[str]:
    song = "A Classic Education - NightOwl"
    for stem in ("mixture", "vocals"):
        put(folder / "train" / song / f"{stem}.wav", music, 44100, channels=2)
    put(folder / "test/Other - Song/mixture.wav", music, 44100, channels=2)
    (folder / "train/Empty - Song").mkdir()
    return {f"musdb18/{song}/{piece}" for piece in range(2)}  # 20 s


def jamendo(folder: Path, speech, music) -> set[str]:
    table = folder / "data/raw_30s.tsv"
    table.parent.mkdir(parents=True)
    lines = [
        f"track_{number:07d}\tartist_000014\talbum_000031\t{number % 100:02d}/{number}.mp3\t20.0"
        "\tgenre---rock\tinstrument---bass\n"
        for number in (214, 215, 216)
    ]
    table.write_text("TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n" + "".join(lines))
    put(folder / "raw_30s/audio/14/214.mp3", music, 44100, channels=2)
    put(folder / "raw_30s/audio/15/215.low.mp3", music, 44100)
    return {f"jamendo/track_{n:07d}/{piece}" for n in (214, 215) for piece in range(2)}


MAKERS = {
    maker.__name__: maker for maker in (dns4, common_voice, fsd50k, audioset, musdb18, jamendo)
}
NUM_LEFT_OUT = dict.fromkeys(MAKERS, 1)


@pytest.mark.parametrize("corpus", MAKERS)
def test_a_corpus_in_its_published_layout(corpus, libriheavy, tmp_path, speech, music):
    wanted = MAKERS[corpus](tmp_path / corpus, speech, music)
    mix = libriheavy("make_codec_mix")
    listed = mix.list_corpus(mix.Part(corpus, tmp_path / corpus, 1.0), 15.0)
    assert {f"{corpus}/{piece.id}" for piece in listed.pieces} == wanted
    assert len(listed.left_out) == NUM_LEFT_OUT[corpus]
    mix.write_mix([listed], mix.choose([listed], 1000), tmp_path)
    assert len((tmp_path / "cuts_codec_left_out.txt").read_text().splitlines()) == 1
    cuts = read_utterances(tmp_path / "cuts_codec_train.jsonl.gz")
    assert {cut.id for cut in cuts} == wanted
    for cut in cuts:
        audio = load_utterance(cut, 24000)
        assert len(audio) == pytest.approx(cut.duration_s * 24000, abs=3)
        assert float(audio.abs().max()) > 0.02
    with pytest.raises(DataError, match=f"{corpus}: "):
        mix.list_corpus(mix.Part(corpus, tmp_path / "stages", 1.0), 15.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=f"{corpus}: "):
        mix.list_corpus(mix.Part(corpus, tmp_path / "empty", 1.0), 15.0)


def test_weights_are_shares_of_the_cuts(libriheavy, tmp_path, speech, music):
    """Three parts speech and one part music, whatever the corpora's sizes."""
    fsd50k(tmp_path / "fsd50k", speech, music)
    jamendo(tmp_path / "jamendo", speech, music)
    mix = libriheavy("make_codec_mix")
    parts = mix.parse_mix(f"fsd50k={tmp_path}/fsd50k:0.3, jamendo={tmp_path}/jamendo:0.1")
    listed = [mix.list_corpus(part, 15.0) for part in parts]
    # Every piece of the larger one once, so the smaller one's is repeated.
    assert mix.choose(listed, 1000) == {"fsd50k": 12, "jamendo": 4}
    assert mix.choose(listed, 8) == {"fsd50k": 6, "jamendo": 2}
    mix.write_mix(listed, {"fsd50k": 12, "jamendo": 4}, tmp_path)
    found = Counter(
        cut.id.split("/")[0] for cut in read_utterances(tmp_path / "cuts_codec_train.jsonl.gz")
    )
    assert found == {"fsd50k": 12, "jamendo": 4}
    summary = json.loads((tmp_path / "codec_mix.json").read_text())
    assert summary["jamendo"]["weight"] == 0.1
    assert summary["jamendo"]["files_left_out"] == 1
    # The loader of codec training takes speech and music from it, each cut as likely.
    config = AudioSegmentConfig(segment_s=0.5, batch_size=4, max_cache_bytes=0, skip_bad=True)
    segments = AudioSegments(tmp_path / "cuts_codec_train.jsonl.gz", config, 24000, seed=0)
    assert segments.load([0, 11, 12, 15], 1).shape == (4, 12000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dns5=/x:0.1", "dns5"),
        ("dns4=/x", "WEIGHT"),
        ("dns4=/x:-1", "above 0"),
        ("dns4=/x:1,dns4=/y:1", "twice"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(libriheavy, text, message):
    with pytest.raises(ConfigError, match=message):
        libriheavy("make_codec_mix").parse_mix(text)


def test_stems_that_must_be_converted_are_explained(libriheavy, tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train/A - B.stem.mp4").touch()
    mix = libriheavy("make_codec_mix")
    with pytest.raises(DataError, match="MUSDB18-HQ"):
        mix.list_corpus(mix.Part("musdb18", tmp_path, 1.0), 15.0)


def test_the_command_writes_what_stage_3_reads(tmp_path, speech, music):
    fsd50k(tmp_path / "fsd50k", speech, music)
    (tmp_path / "cuts_dev.jsonl.gz").write_bytes(b"dev")
    command = [sys.executable, "-m", "egs.libriheavy.local.make_codec_mix"]
    command += ["--mix", f"fsd50k={tmp_path}/fsd50k:1", "--out", str(tmp_path)]
    command += ["--valid_cuts", str(tmp_path / "cuts_dev.jsonl.gz")]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (
        "fsd50k: 0.0 h in 1 pieces, listed as 1 cuts (weight 1); 1 files left out" in result.stderr
    )
    assert (tmp_path / "cuts_codec_left_out.txt").read_text().endswith("16401.wav: missing\n")
    assert (tmp_path / "cuts_codec_dev.jsonl.gz").read_bytes() == b"dev"
    assert len(read_utterances(tmp_path / "cuts_codec_train.jsonl.gz")) == 1
