"""Unpacks Rob Northen's ProPack, method 1: LZ77 with three Huffman tables a chunk.

A file is 18 bytes of header (`RNC\\x01`, two big-endian lengths, two checksums, a byte of overlap,
the number of chunks), then chunks. A chunk is three tables (lengths of literal runs, distances,
lengths of matches), a count, and that many pairs of a literal run and a match; the last has no
match. Bits come from little-endian 16-bit words, lowest first; a word is fetched only when a bit of
it is needed, and literals lie between the words, at the place reached by then.
"""

from collections.abc import Callable
from typing import NamedTuple

from latentspeech.core.errors import DataError

MAGIC = b"RNC\x01"
_HEADER_BYTES = 18
_LOOK_BITS = 16  # no code is longer


class _Entry(NamedTuple):
    """A symbol: bits of its code, what it adds to, and how many extra bits follow."""

    code_bits: int
    base: int
    extra_bits: int


class _BitReader:
    """Bits and bytes from one place in the data."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data + bytes(4)  # the last word may reach beyond the end
        self.position = position
        self._buffer = self._count = 0

    def bits(self, count: int) -> int:
        """The next bits as a number, the first one lowest."""
        while self._count < count:
            self._buffer |= self._word(self.position) << self._count
            self.position += 2
            self._count += 16
        value = self._buffer & ((1 << count) - 1)
        self._buffer >>= count
        self._count -= count
        return value

    def look(self) -> int:
        """The next 16 bits, which stay."""
        if self._count >= _LOOK_BITS:
            return self._buffer & 0xFFFF
        return (self._buffer | self._word(self.position) << self._count) & 0xFFFF

    def literals(self, count: int) -> bytes:
        """The next bytes."""
        start = self.position
        self.position += count
        return self._data[start : self.position]

    def _word(self, position: int) -> int:
        if position + 2 > len(self._data):
            raise DataError("RNC data ends too early; expected more: download the package again")
        return self._data[position] | self._data[position + 1] << 8


def unpack(data: bytes) -> bytes:
    """The contents; DataError where the data is no RNC method 1 or damaged."""
    if data[:4] != MAGIC or len(data) < _HEADER_BYTES:
        raise DataError(f"data starts with {data[:4]!r}; expected {MAGIC!r} and a header after it")
    size = int.from_bytes(data[4:8], "big")
    reader = _BitReader(data, _HEADER_BYTES)
    reader.bits(2)  # flags without a meaning here
    out = bytearray()
    for _ in range(data[17]):
        runs, distances, lengths = (_read_table(reader) for _ in range(3))
        count = reader.bits(16)
        for index in range(count):
            out += reader.literals(runs())
            if index < count - 1:
                distance = distances() + 1
                _copy(out, distance, lengths() + 2)
    if len(out) != size:
        raise DataError(
            f"RNC data unpacks to {len(out)} bytes; its header promises {size}: "
            "download the package again"
        )
    return bytes(out)


def _copy(out: bytearray, distance: int, length: int) -> None:
    if distance > len(out):
        raise DataError(f"RNC match reaches {distance} bytes back; there are only {len(out)}")
    pattern = out[-distance:]
    out += (pattern * (length // distance + 1))[:length]


def _read_table(reader: _BitReader) -> Callable[[], int]:
    """A function that reads one symbol."""
    code_bits = [reader.bits(4) for _ in range(reader.bits(5))]
    table: dict[int, _Entry] = {}
    code = 0
    for bits in range(1, _LOOK_BITS + 1):
        for symbol in (index for index, own in enumerate(code_bits) if own == bits):
            extra = max(0, symbol - 1)
            mirrored = int(format(code, f"0{bits}b")[::-1], 2)
            table[mirrored | bits << 16] = _Entry(bits, 1 << extra if symbol > 1 else symbol, extra)
            code += 1
        code <<= 1
    lengths = sorted({bits for bits in code_bits if bits})

    def read() -> int:
        ahead = reader.look()
        for bits in lengths:
            entry = table.get(ahead & ((1 << bits) - 1) | bits << 16)
            if entry is not None:
                reader.bits(entry.code_bits)
                return entry.base | reader.bits(entry.extra_bits)
        raise DataError("RNC data holds a code that its tables lack; download the package again")

    return read
