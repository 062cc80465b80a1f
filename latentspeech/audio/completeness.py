"""Checks that an audio file holds all that its header promises, so that libsndfile plays all of it.

libsndfile plays what is left of a truncated file without an error, so the containers' counts are
read here: the data chunk of WAV, the Xing/Info frame of MP3, the end-of-stream mark of Ogg. FLAC
needs no check, since its decoder notices. A header written to a pipe (length unknown) promises
nothing. An MP3 of varying bit rate without a Xing frame is refused: libsndfile guesses its length
by the first frame and drops what comes after.
"""

import struct
from pathlib import Path

# Programs that write WAV to a pipe put 0, 0xFFFFFFFF or a value just under 2^31 as the length.
_UNKNOWN_WAV_LENGTH_BYTES = 0x7FFF0000
_WAV_UNCOMPRESSED = (1, 3, 0xFFFE)
_HEAD_BYTES = 1 << 16
# An Ogg page is at most 65307 bytes, so a whole last page always lies in this much.
_OGG_TAIL_BYTES = 1 << 17
_OGG_PAGE_HEADER_BYTES = 27
_OGG_END_OF_STREAM = 0x04
# Layer III bit rates by header index, and the halvings of the sampling rate by version (0 is 2.5).
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_VERSION_RATE_SHIFT = {3: 0, 2: 1, 0: 2}


def find_defect(path: Path) -> str | None:
    """The defect of the file, as the rest of a sentence ("is truncated: ..."), or None."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, size_bytes - _OGG_TAIL_BYTES))
        tail = file.read()
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav_shortfall(path, size_bytes)
    if head[:4] == b"OggS":
        return _ogg_shortfall(tail)
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0):
        return _mp3_defect(path)
    return None


def _wav_shortfall(path: Path, size_bytes: int) -> str | None:
    """Walks the chunks up to `data` and compares its length with what follows."""
    frame_bytes = 0
    with path.open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", header)
            if name == b"data":
                present = size_bytes - file.tell()
                if length <= present or length >= _UNKNOWN_WAV_LENGTH_BYTES:
                    return None
                if frame_bytes:
                    return _counts(length // frame_bytes, present // frame_bytes, "frames")
                return _counts(length, present, "bytes")
            body = file.read(length)
            if name == b"fmt " and len(body) >= 14:
                encoding, _, _, _, block_bytes = struct.unpack_from("<HHIIH", body)
                frame_bytes = block_bytes if encoding in _WAV_UNCOMPRESSED else 0
            file.seek(length % 2, 1)  # chunks are padded to an even length
    return None


def _ogg_shortfall(tail: bytes) -> str | None:
    """The last page must be whole and carry the end-of-stream flag."""
    start = tail.rfind(b"OggS")
    page = tail[start:]
    if start >= 0 and len(page) >= _OGG_PAGE_HEADER_BYTES and page[5] & _OGG_END_OF_STREAM:
        lacing = page[_OGG_PAGE_HEADER_BYTES : _OGG_PAGE_HEADER_BYTES + page[26]]
        declared = _OGG_PAGE_HEADER_BYTES + page[26] + sum(lacing)
        return None if len(page) >= declared else _counts(declared, len(page), "bytes")
    return "is truncated: it stops before its end-of-stream mark"


def _mp3_defect(path: Path) -> str | None:
    """Compares the stream length in the Xing/Info frame, where there is one, with the file."""
    data = path.read_bytes()
    start = 0
    if data[:3] == b"ID3" and len(data) >= 10:  # its length has 7 bits a byte
        lengths = zip(data[6:10], (21, 14, 7, 0), strict=True)
        start = 10 + sum(byte << shift for byte, shift in lengths)
    frame = data[start : start + 256]
    found = max(frame.find(b"Xing"), frame.find(b"Info"))
    if found < 0 or len(frame) < found + 16:
        varying = b"VBRI" not in frame and _mp3_rate_varies(data, start)
        return "is an MP3 of varying bit rate that does not state its length" if varying else None
    flags, first, second = struct.unpack_from(">III", frame, found + 4)
    if not flags & 2:
        return None
    declared = second if flags & 1 else first
    present = len(data) - start
    # Encoders disagree on whether the Xing frame itself counts, so one per cent less passes.
    return _counts(declared, present, "bytes") if present < 0.99 * declared else None


def _mp3_rate_varies(data: bytes, position: int) -> bool:
    """Walks the layer III frames from one header to the next."""
    rates_seen: set[int] = set()
    while position + 4 <= len(data):
        sync, flags = data[position], data[position + 1]
        if sync != 0xFF or flags & 0xE6 != 0xE2:  # tags at the end, or not layer III
            break
        version, rate, frequency = (
            flags >> 3 & 3,
            data[position + 2] >> 4,
            data[position + 2] >> 2 & 3,
        )
        if version == 1 or rate in (0, 15) or frequency == 3:
            break
        rates_seen.add(rate)
        kilobits = (_MPEG1_KBPS if version == 3 else _MPEG2_KBPS)[rate]
        sample_rate = (44100, 48000, 32000)[frequency] >> _VERSION_RATE_SHIFT[version]
        bytes_at_one_hz = (144000 if version == 3 else 72000) * kilobits
        position += bytes_at_one_hz // sample_rate + (data[position + 2] >> 1 & 1)
    return len(rates_seen) > 1


def _counts(declared: int, present: int, unit: str) -> str:
    return f"is truncated: its header promises {declared} {unit}, the file holds {present}"
