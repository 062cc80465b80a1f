"""Whether an audio file holds all the audio that its own header promises.

libsndfile plays what is left of a cut file without a word, so the containers' counts are read
here: the data chunk of WAV, the Xing/Info frame of MP3, the end-of-stream mark of Ogg. FLAC needs
none, its decoder notices. A header written to a pipe (length unknown) promises nothing.
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


def find_truncation(path: Path) -> str | None:
    """Says in words how the file falls short of its header, or None where it does not."""
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
        return _mp3_shortfall(path, size_bytes)
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
    return "it stops before its end-of-stream mark"


def _mp3_shortfall(path: Path, size_bytes: int) -> str | None:
    """Compares the stream length in the Xing/Info frame, where there is one, with the file."""
    with path.open("rb") as file:
        tag = file.read(10)
        start = 0
        if tag[:3] == b"ID3" and len(tag) == 10:  # its length has 7 bits a byte
            start = 10 + sum(
                byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)
            )
        file.seek(start)
        frame = file.read(256)
    found = max(frame.find(b"Xing"), frame.find(b"Info"))
    if found < 0 or len(frame) < found + 16:
        return None
    flags, first, second = struct.unpack_from(">III", frame, found + 4)
    if not flags & 2:
        return None
    declared = second if flags & 1 else first
    present = size_bytes - start
    # Encoders disagree on whether the Xing frame itself counts, so one per cent less passes.
    return _counts(declared, present, "bytes") if present < 0.99 * declared else None


def _counts(declared: int, present: int, unit: str) -> str:
    return f"its header promises {declared} {unit}, the file holds {present}"
