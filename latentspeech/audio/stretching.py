"""Makes speech faster or slower at the same pitch: WSOLA, in numpy, as a stream.

Waveform similarity overlap-add (Verhelst and Roelands, 1993) takes windows of the input at the pace
that is asked, and adds them up at a fixed hop. Each window may move a few milliseconds, to where
the signal is most like what would have followed the window before, so that periods stay whole.

The pace may change within the input. The result does not depend on the pieces of the input.
T samples of input, n of output.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_WINDOW_S = 0.02  # longer ones blur fast speech, and two periods of low voices still fit
_SEARCH_S = 0.01  # either way
_LEAST_ENERGY = 1e-8


class Stretcher:
    """Stretches one stream of samples, which it takes in pieces with a pace for each."""

    def __init__(self, sample_rate: int) -> None:
        self._hop = round(_WINDOW_S * sample_rate / 2)
        self._search = round(_SEARCH_S * sample_rate)
        fade = np.sin(0.5 * np.pi * (np.arange(self._hop) + 0.5) / self._hop) ** 2
        self._fade_in, self._fade_out = fade.astype(np.float32), fade[::-1].astype(np.float32)
        # Silence before the start gives the first windows room to move.
        self._input = np.zeros(self._search, dtype=np.float32)
        self._first = -self._search  # place of the input's first sample that is still there
        self._places_in, self._places_out = [0.0], [0.0]  # where paces change
        self._num_out = 0
        self._before: int | None = None  # place of the last window
        self._tail = np.zeros(self._hop, dtype=np.float32)

    def step(self, samples: Samples, rate: float) -> Samples:
        """Adds samples (T,) at a pace, times the input's own; returns what is ready, (n,)."""
        self._input = np.concatenate((self._input, samples))
        self._places_in.append(self._places_in[-1] + len(samples))
        self._places_out.append(self._places_out[-1] + len(samples) / rate)
        return self._ready(self._first + len(self._input))

    def finish(self) -> Samples:
        """Returns the rest (n,); all output together is as long as the paces ask."""
        end = round(self._places_out[-1])
        room = 2 * self._hop + 2 * self._search + 1
        missing = max(0, round(self._places_in[-1]) + room - self._first - len(self._input))
        self._input = np.concatenate((self._input, np.zeros(missing, dtype=np.float32)))
        start = self._num_out
        rest = [self._ready(self._first + len(self._input), end), self._tail]
        return np.concatenate(rest)[: end - start]

    def _ready(self, known: int, end: int | None = None) -> Samples:
        """Makes windows while the input up to the place `known` has what they need."""
        blocks = [np.zeros(0, dtype=np.float32)]
        while end is None or self._num_out + self._hop <= end:
            if self._num_out > self._places_out[-1]:
                break
            wanted = round(float(np.interp(self._num_out, self._places_out, self._places_in)))
            if wanted + self._search + 2 * self._hop > known:
                break
            blocks.append(self._window(wanted))
            self._num_out += self._hop
            self._forget(wanted)
        return np.concatenate(blocks)

    def _window(self, wanted: int) -> Samples:
        """Adds the window nearest `wanted` that goes on from the one before; returns a hop."""
        if self._before is None:
            place = 0
            head = self._at(0, self._hop)
        else:
            follows = self._at(self._before + self._hop, self._hop)
            place = wanted - self._search + self._best(follows, wanted)
            head = self._tail + self._fade_in * self._at(place, self._hop)
        self._before = place
        self._tail = self._fade_out * self._at(place + self._hop, self._hop)
        return head

    def _best(self, follows: Samples, wanted: int) -> int:
        """Returns how far into the range of search a window is most like `follows`."""
        near = self._at(wanted - self._search, self._hop + 2 * self._search)
        products = np.correlate(near, follows, "valid")  # (2 search + 1,)
        sums = np.cumsum(np.concatenate(([0.0], near.astype(np.float64) ** 2)))
        energies = sums[self._hop :] - sums[: -self._hop]
        return int(np.argmax(products / np.sqrt(energies + _LEAST_ENERGY)))

    def _at(self, place: int, length: int) -> Samples:
        return self._input[place - self._first :][:length]

    def _forget(self, wanted: int) -> None:
        """Drops input and paces that no later window needs."""
        assert self._before is not None
        unused = min(self._before + self._hop, wanted - self._search) - self._first
        if unused > 0:
            self._input, self._first = self._input[unused:], self._first + unused
        while len(self._places_out) > 2 and self._places_out[1] < self._num_out - self._hop:
            del self._places_in[0], self._places_out[0]
