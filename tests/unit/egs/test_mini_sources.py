"""The sources of the mini corpus that unpack formats of their own, from files made here."""

import json
import struct
import zipfile

import numpy as np
import pytest
import soundfile
import torch

from latentspeech.core.errors import DataError

RATE = 11025


class BitWriter:
    """The other side of the RNC reader: bits into 16-bit words, bytes between the words."""

    def __init__(self):
        self.out = bytearray()
        self._word_at = None
        self._used = 16

    def bits(self, value, count):
        for index in range(count):
            if self._used == 16:
                self._word_at, self._used = len(self.out), 0
                self.out += bytes(2)
            self.out[self._word_at + self._used // 8] |= (value >> index & 1) << self._used % 8
            self._used += 1

    def code(self, symbol, lengths):
        """A canonical code, its first bit lowest."""
        code = 0
        for bits in range(1, 17):
            for index, own in enumerate(lengths):
                if own == bits:
                    if index == symbol:
                        return self.bits(int(format(code, f"0{bits}b")[::-1], 2), bits)
                    code += 1
            code <<= 1
        raise AssertionError(symbol)

    def number(self, value, lengths):
        symbol = value.bit_length() if value > 1 else value
        self.code(symbol, lengths)
        if value > 1:
            self.bits(value - (1 << symbol - 1), symbol - 1)


LENGTHS = [1, 3, 3, 4, 4, 5, 5, 5, 5]  # of the codes of nine symbols: numbers to 255


def rnc(chunks):
    """Packs chunks of (literals, distance, length) by hand; the last of a chunk has no match."""
    writer = BitWriter()
    writer.bits(0, 2)
    for chunk in chunks:
        for _ in range(3):
            writer.bits(len(LENGTHS), 5)
            for length in LENGTHS:
                writer.bits(length, 4)
        writer.bits(len(chunk), 16)
        for literals, distance, length in chunk:
            writer.number(len(literals), LENGTHS)
            writer.out += literals
            if distance:
                writer.number(distance - 1, LENGTHS)
                writer.number(length - 2, LENGTHS)
    return bytes(writer.out)


def rnc_file(chunks, contents):
    packed = rnc(chunks)
    head = b"RNC\x01" + struct.pack(">IIHHBB", len(contents), len(packed), 0, 0, 0, len(chunks))
    return head + packed


def test_rnc_unpacks_literals_and_matches_that_overlap(local):
    unpack = local("sources.recordings.rnc").unpack
    chunks = [
        [(b"abcde", 5, 7), (b"", 1, 9), (b"xy" * 50, 0, 0)],
        [(b"q", 101, 40), (b"end", 0, 0)],
    ]
    contents = b"abcde" + b"abcdeab" + b"b" * 9 + b"xy" * 50
    contents += b"q"
    contents += contents[-101:-61] + b"end"
    data = rnc_file(chunks, contents)
    assert unpack(data) == contents
    with pytest.raises(DataError, match="promises"):
        unpack(data[:7] + bytes([data[7] + 1]) + data[8:])
    with pytest.raises(DataError, match=r"ends too early|holds a code|promises|reaches"):
        unpack(data[: len(data) // 2])
    with pytest.raises(DataError, match="expected"):
        unpack(b"ZIP!" + data[4:])


def voiced(seconds=1.0, rate=RATE):
    """Something like a vowel with a gliding pitch that comes and goes."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 1.5 * time)) / rate
    tone = sum(np.sin(order * phase) / order for order in range(1, 15))
    return (0.2 * tone * np.maximum(0, np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def unpacked(folder, source, name, data):
    path = folder / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_sky_reads_the_speech_of_its_disk_by_block(local, tmp_path):
    sky = local("sources.recordings.sky")
    clip = bytes(np.arange(256, dtype=np.uint8))
    packed = bytes(22) + rnc_file([[(clip[:200], 0, 0)], [(clip[200:], 0, 0)]], clip)
    # Offsets in units of 16 bytes where the top bit is set; a picture among the numbers.
    disk = bytes(32) + packed
    entries = [
        (50600, 2 | 0x800000, len(packed)),
        (50007, 32, len(packed)),
        (59502, 0, 1 << 22 | 8),
        (60203, 0, 8),
    ]
    index = struct.pack("<I", len(entries)) + b"".join(
        number.to_bytes(2, "little") + offset.to_bytes(3, "little") + size.to_bytes(3, "little")
        for number, offset, size in entries
    )
    unpacked(tmp_path, "sky", f"{sky._FOLDER}/sky.dsk", disk)
    place = unpacked(tmp_path, "sky", f"{sky._FOLDER}/sky.dnr", index)
    source = sky.Sky(tmp_path)
    recordings = list(source.recordings())
    assert [(item.name, item.speaker) for item in recordings] == [
        ("50007", "sky_part0"),
        ("50600", "sky_part1"),
    ]
    for recording in recordings:
        waveform = source.load(recording)
        assert waveform.sample_rate == 11025
        np.testing.assert_allclose(waveform.samples, (np.arange(256) - 128) / 128)
    place.write_bytes(index[:-3])
    with pytest.raises(DataError, match=r"install_sources\.sh sky"):
        sky.Sky(tmp_path)


def queen_string(text, place, align):
    """Length, bytes and padding to a multiple; nothing after the length of an empty one."""
    data = bytes([len(text)]) + text.encode()
    return data + bytes(-(place + len(data)) % align) if text else data


def queen_dialogue(number, joe, person, again):
    """A DOG file with sentences by number, and both openings of a second meeting."""
    data = bytearray(32)  # no levels
    for sentences in (joe, person):
        if sentences is person:
            at_person = len(data)
        for index, text in sentences.items():
            data += struct.pack(">HH", 0, index)
            data += queen_string(text, len(data), 4)
    at_again = len(data)
    for text in again:
        data += queen_string(text, len(data), 2)
    struct.pack_into(">5h", data, 0, 0, 0, number, len(joe), len(person))
    struct.pack_into(">3H", data, 22, at_person, 0, at_again)
    return bytes(20) + bytes(data)


def queen_scene(sentences):
    data = bytearray(12)
    for text in ("", *sentences):
        data += queen_string(text, len(data), 2)
    struct.pack_into(">h", data, 2, -len(sentences))
    struct.pack_into(">H", data, 8, 12)
    return bytes(20) + bytes(data)


def test_queen_finds_text_and_speaker_of_its_clips(local):
    queen, texts = local("sources.recordings.queen"), local("sources.recordings.queen_texts")
    lines = ["It looks @@ nice*03", 'Gosh,*14 "Neat" *02'] + ["-"] * 1185 + ["No way*03", "Hm"]
    found = texts.read_texts(
        {
            "LOLA1.DOG": queen_dialogue(
                7,
                {0: "Hello.*02", 0xBD: "Why?*14Tell me.*XY00(237,112)Now!"},
                {0x20: "Go away*FL!"},
                ("You again", "Me again*02"),
            ),
            "C1A.CUT": queen_scene(["*FRHey there*15", "", "Bye"]),
            "QUEEN2.JAS": "\r\n".join(lines).encode(),
        }
    )
    assert found.person_of == {7: "lola"}
    assert found.text_of == {
        "070000J1": "Hello.",
        "07SSSSJ1": "Hello.",
        "0700BDJ1": "Why?",
        "0700BDJ2": "Tell me.",
        "0700BDJ3": "Now!",
        "070020P1": "Go away",
        "07XXXXP1": "You again",
        "07XXXXJ1": "Me again",
        "C1A__012": "Hey there",
        "C1A__031": "Bye",
        "JOE00411": "It looks nice",
        "JOE00421": "Gosh,",
        "JOE00422": "Neat",
        "JOE00011": "No way",
        "JOE00021": "Hm",
    }
    expected = {
        "0700BDJ2": "queen_joe",
        "070020P1": "queen_lola",
        "080020P1": "queen_dialogue08",
        "JOE00421": "queen_joe",
        "C1A__031": "queen_scene_1",
        "CINTR051": "queen_scene_intr",
        "MIK_1": "",
    }
    assert {clip: queen.speaker_of(clip, found) for clip in expected} == expected


def test_queen_decodes_the_clips_of_its_index(local, tmp_path):
    queen = local("sources.recordings.queen")
    mp3 = tmp_path / "clip.mp3"
    soundfile.write(mp3, voiced(1.0), RATE, format="MP3")
    files = {
        "10SSSSSS.SB": mp3.read_bytes(),
        "070020P1.SB": mp3.read_bytes(),
        "JOE00411.SB": b"no mp3 at all",
        "QUEEN2.JAS": b"Neat*02\r\n",
    }
    offset = 15 + 21 * len(files)
    index, body = b"", b""
    for name, data in files.items():
        index += struct.pack(">12sBII", name.encode(), 1, offset + len(body), len(data))
        body += data
    head = b"QTBLCEM10\0\0\0\1" + struct.pack(">H", len(files))
    path = unpacked(tmp_path, "queen", queen._DATA, head + index + body)
    source = queen.Queen(tmp_path)
    recordings = list(source.recordings())
    assert [(item.name, item.speaker, item.text, item.kind) for item in recordings] == [
        ("070020P1", "queen_dialogue07", "", "speech"),
        ("JOE00411", "queen_joe", "Neat", "speech"),
        ("10SSSSSS", "queen_effects", "", "effect"),
    ]
    waveform = source.load(recordings[0])
    assert waveform.sample_rate == RATE
    assert len(waveform.samples) / RATE == pytest.approx(1.0, abs=0.2)
    with pytest.raises(DataError, match="JOE00411"):
        source.load(recordings[1])
    path.write_bytes(b"QTBL" + bytes(9) + b"\xff\xff")
    with pytest.raises(DataError, match=r"install_sources\.sh queen"):
        queen.Queen(tmp_path)


def test_freedoom_reads_sounds_of_a_wad(local, tmp_path):
    freedoom = local("sources.sounds.freedoom")
    sound = struct.pack("<HHI", 3, 22050, 4) + bytes([0, 128, 255, 64])
    lumps = [
        ("DSPISTOL", sound),
        ("D_E1M1", b"music"),
        ("DSEMPTY", struct.pack("<HHIB", 9, 0, 1, 0)),
    ]
    body, directory = b"", b""
    for name, data in lumps:
        directory += struct.pack("<II8s", 12 + len(body), len(data), name.encode())
        body += data
    wad = struct.pack("<4sII", b"IWAD", len(lumps), 12 + len(body)) + body + directory
    unpacked(tmp_path, "freedoom", freedoom._WAD, wad)
    source = freedoom.Freedoom(tmp_path)
    empty, pistol = source.recordings()
    assert (pistol.name, pistol.kind) == ("DSPISTOL", "effect")
    waveform = source.load(pistol)
    assert waveform.sample_rate == 22050
    np.testing.assert_allclose(waveform.samples, [-1, 0, 127 / 128, -0.5])
    with pytest.raises(DataError, match="DSEMPTY"):
        source.load(empty)


def test_warzone_groups_the_members_of_its_zip(local, tmp_path):
    warzone = local("sources.recordings.warzone")
    ogg = tmp_path / "a.ogg"
    soundfile.write(ogg, voiced(0.5, 22050), 22050)
    path = tmp_path / "warzone" / warzone._ARCHIVE
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("sfx/boom", "taunts/taunt2/haha", "memressp/power/low", "extra/what"):
            archive.writestr(f"audio/{name}.ogg", ogg.read_bytes())
        archive.writestr("images/x.png", b"")
    source = warzone.Warzone(tmp_path)
    recordings = list(source.recordings())
    assert [(item.name, item.speaker, item.kind) for item in recordings] == [
        ("memressp/power/low", "warzone_memressp", "speech"),
        ("taunts/taunt2/haha", "warzone_taunt2", "speech"),
        ("sfx/boom", "warzone_effects", "effect"),
    ]
    assert source.load(recordings[0]).sample_rate == 22050


def test_long_files_are_cut_in_pieces_spread_over_them(local, tmp_path):
    files = local("sources.file_recordings")
    ramp = np.arange(8000 * 100, dtype=np.float32) / (8000 * 100)
    path = tmp_path / "track.flac"
    soundfile.write(path, ramp, 8000)
    pieces = list(files.cut_in_pieces(path, "music", "music", 10.0, 4))
    assert [piece.start_s for piece in pieces] == [0.0, 20.0, 50.0, 70.0]
    source = files.FileRecordings("CC0", pieces)
    waveform = source.load(pieces[2].recording)
    assert len(waveform.samples) == 80000
    assert waveform.samples[0] == pytest.approx(0.5, abs=1e-3)
    (whole,) = files.cut_in_pieces(path, "music", "music", 200.0, 4)
    assert whole.length_s is None
    assert len(files.FileRecordings("CC0", [whole]).load(whole.recording).samples) == 800000
    path.write_bytes(b"fLaC")
    with pytest.raises(DataError, match=r"track\.flac"):
        source.load(pieces[0].recording)


def test_every_made_noise_is_ten_seconds_finite_and_the_same_again(local):
    source = local("sources.sounds.made_noise").MadeNoise()
    recordings = list(source.recordings())
    assert len({item.name for item in recordings}) == len(recordings) == 120
    for recording in recordings[:8]:
        first, again = source.load(recording), source.load(recording)
        assert len(first.samples) == 10 * first.sample_rate
        assert np.isfinite(first.samples).all()
        assert 0.005 < np.abs(first.samples).max() <= 10 ** (-6 / 20) + 1e-6
        np.testing.assert_array_equal(first.samples, again.samples)


def corpus_of_voiced_seconds(folder):
    """Three of anna's, one each of a held-out voice, several people and another source."""
    rows = []
    speakers = ["anna", "anna", "anna", "secret", "queen_scene_ballroom", "bob"]
    for number, speaker in enumerate(speakers):
        (folder / speaker).mkdir(exist_ok=True)
        name = f"{speaker}/k{number}.flac"
        soundfile.write(folder / name, voiced(1.0, 24000), 24000)
        rows.append(
            {"id": f"k{number}", "audio": name, "speaker": speaker, "text": "Hello.",
             "source": "flite" if speaker == "bob" else "kokoro", "licence": "MIT",
             "duration_s": 1.0, "native_rate_hz": 20000, "symbol_ends_s": [0.25, 0.5]}
        )  # fmt: skip
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_world_copies_the_voices_that_are_there_but_not_the_held_out_ones(local, tmp_path):
    pytest.importorskip("pyworld")
    world = local("sources.copies.world")
    source = world.World(corpus_of_voiced_seconds(tmp_path), frozenset({"secret"}))
    recordings = sorted(source.recordings())
    assert [(item.name, item.speaker, item.licence) for item in recordings] == [
        ("down-k2", "anna_down", "MIT"),
        ("up-k0", "anna_up", "MIT"),
        ("up-k1", "anna_up", "MIT"),
    ]
    assert {item.native_rate_hz for item in recordings} == {20000}
    pitches = []
    for recording in recordings:
        waveform = source.load(recording)
        assert abs(len(waveform.samples) - 24000) < 300
        assert waveform.symbol_ends_s == pytest.approx((0.25, 0.5), rel=0.02)
        pitches.append(median_pitch(waveform.samples.astype(float)))
    original = median_pitch(voiced(1.0, 24000).astype(float))
    assert pitches[0] < 0.9 * original
    assert min(pitches[1:]) > 1.1 * original
    with pytest.raises(DataError, match="kokoro"):
        world.World(tmp_path / "nowhere", frozenset())


def test_copies_at_other_speeds_are_as_much_shorter_as_their_frequencies_are_higher(
    local, tmp_path
):
    speed, writer = local("sources.copies.speed"), local("corpus.writer")
    # By its suffix compare_voices.py knows a copy.
    suffixes = set(local("sources.copies.contract").COPY_SUFFIXES)
    assert {f"_{way}" for way in speed.Speed.ways} <= suffixes
    source = speed.Speed(
        "kokoro_speed", "kokoro", corpus_of_voiced_seconds(tmp_path), frozenset({"secret"})
    )
    fast, beside, slow = sorted(source.recordings())
    assert [fast.speaker, beside.speaker, slow.speaker] == ["anna_fast", "anna_fast", "anna_slow"]
    for recording, low, high in ((fast, 1.17, 1.23), (slow, 0.8, 0.85)):
        factor = speed.speed_of(recording.speaker)
        assert low <= factor <= high
        assert recording.native_rate_hz == round(20000 * factor)
        waveform = source.load(recording)
        assert waveform.symbol_ends_s == pytest.approx((0.25 / factor, 0.5 / factor))
        assert len(waveform.samples) / waveform.sample_rate == pytest.approx(1 / factor, rel=1e-3)
        stored, _ = writer.prepare(torch.from_numpy(waveform.samples), waveform.sample_rate)
        assert strongest_hz(stored) == pytest.approx(
            factor * strongest_hz(voiced(1.0, 24000)), abs=3
        )
    with pytest.raises(DataError, match=r"queen_speed.* with queen in --sources"):
        speed.Speed("queen_speed", "queen", tmp_path, frozenset())


def strongest_hz(samples):
    spectrum = np.abs(np.fft.rfft(np.asarray(samples), 24000))
    return float(spectrum.argmax())


def median_pitch(samples):
    import pyworld

    pitch, _ = pyworld.harvest(samples, 24000)
    return float(np.median(pitch[pitch > 0]))


def test_every_source_has_terms_and_can_be_opened_or_says_what_to_run(local, tmp_path):
    opening, terms = local("sources.catalogue"), local("sources.terms")
    for name, source_terms in terms.SOURCE_TERMS.items():
        assert source_terms.reason
        if name in ("made_noise", "flite", "festival", "piper", "kokoro", "world"):
            continue
        if name.endswith("_speed"):  # of what another source made
            continue
        with pytest.raises(DataError, match=rf"install_sources\.sh {name}$"):
            opening.open_source(name, tmp_path, tmp_path)
    assert opening.parse_source_names("all") == list(terms.SOURCE_TERMS)
    # What may not be trained on is held out, whoever is heard.
    copyleft = [name for name, item in terms.SOURCE_TERMS.items() if "left" in item.reason]
    assert copyleft
    assert all(terms.SOURCE_TERMS[name].use == "test" for name in copyleft)
