"""Chooses the part of a recording to use: speech without long silence, of a limited length.

Silence at the ends and long silence within are left out. If more speech is left than is wanted, the
part with most voice is taken, where voice counts less if it is softer than the rest of the
recording or close to the noise. It begins and ends between words where it can.

N frames of the recording, n frames that are kept, K places to cut.
"""

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.speech.speech_activity import Activity, Stretch
from latentspeech.audio.speech.voicing import HOP_S

# Silence that is left alone: beside speech at the ends, and between two stretches.
_END_S, _PAUSE_S = 0.8, 0.8
_QUIETER_DB = 8.0  # least difference of what is left out from the voice
_GAP_FRAMES = 6  # a closed lip lasts less, so a longer gap lies between words
_SHORTEST_SHARE = 0.6  # of the wanted length; shorter parts are cut within a word instead
_LAST_S = 1.0  # such a cut is made at the softest frame of the last second
_GOOD_SNR_DB = 20.0  # of voiced over other frames; these may be noise or an "s"
_SOFTER_DB = 20.0  # a part that much softer than the rest counts nothing


def spoken_parts(activity: Activity, num_samples: int, sample_rate: int) -> list[Stretch]:
    """The stretches of speech with the pauses of ordinary speech.

    All is one part if what would be left out is nearly as loud, as in music.
    """
    parts: list[Stretch] = []
    for stretch in activity.stretches:
        if parts and stretch.start - parts[-1].end < _PAUSE_S * sample_rate:
            parts[-1] = Stretch(parts[-1].start, stretch.end)
        else:
            parts.append(stretch)
    if parts and parts[0].start < _END_S * sample_rate:
        parts[0] = Stretch(0, parts[0].end)
    if parts and num_samples - parts[-1].end < _END_S * sample_rate:
        parts[-1] = Stretch(parts[-1].start, num_samples)
    left_out = np.ones(len(activity.level_db), dtype=bool)
    for part in parts:
        left_out[part.start // activity.hop : part.end // activity.hop] = False
    loudest_db = activity.voice_db - _QUIETER_DB
    if left_out.any() and np.median(activity.level_db[left_out]) > loudest_db:
        return [Stretch(0, num_samples)]
    return parts


def best_part(
    parts: list[Stretch], activity: Activity, sample_rate: int, longest_s: float
) -> list[Stretch]:
    """The best `longest_s` of the parts, or all of them if they are no longer."""
    longest = int(longest_s * sample_rate)
    if sum(part.end - part.start for part in parts) <= longest:
        return parts
    hop = activity.hop
    frames = np.concatenate([np.arange(part.start // hop, part.end // hop) for part in parts])
    frames = frames[frames < len(activity.voiced)]  # (n,)
    voiced, level_db = activity.voiced[frames], activity.level_db[frames]
    first, last = _best_window(voiced, level_db, activity, longest // hop)
    cut = Stretch(int(frames[first]) * hop, (int(frames[last - 1]) + 1) * hop)
    inside = (Stretch(max(p.start, cut.start), min(p.end, cut.end)) for p in parts)
    return [part for part in inside if part.start < part.end]


def _best_window(
    voiced: NDArray[np.bool_], level_db: NDArray[np.floating], activity: Activity, length: int
) -> tuple[int, int]:
    """The first and one after the last of at most `length` kept frames."""
    cuts = _places_to_cut(voiced, level_db, activity)
    best, best_score = (0, length), -1.0
    for start in cuts[:-1]:
        end = int(cuts[np.searchsorted(cuts, start + length, side="right") - 1])
        if end - start < _SHORTEST_SHARE * length:
            if start + length > len(voiced):
                continue
            late = start + length - round(_LAST_S / HOP_S)
            end = late + int(level_db[late : start + length].argmin())
        score = _score(voiced[start:end], level_db[start:end], activity)
        if score > best_score:
            best, best_score = (int(start), end), score
    return best


def _places_to_cut(
    voiced: NDArray[np.bool_], level_db: NDArray[np.floating], activity: Activity
) -> NDArray[np.int64]:
    """The middle of each gap between words, and both ends of the kept frames. (n,) -> (K,)."""
    middle_db = (activity.voice_db + activity.floor_db) / 2
    quiet = ~voiced & (level_db < max(middle_db, activity.voice_db - 25))
    edges = np.diff(quiet.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    wide = ends - starts >= _GAP_FRAMES
    return np.unique(np.concatenate(([0], (starts + ends)[wide] // 2, [len(voiced)])))


def _score(voiced: NDArray[np.bool_], level_db: NDArray[np.floating], activity: Activity) -> float:
    """Voiced seconds, less if they are soft or noisy."""
    if not voiced.any():
        return 0.0
    voice_db = float(level_db[voiced].mean())
    unvoiced_db = 10 * np.log10((10 ** (level_db[~voiced] / 10)).mean()) if not voiced.all() else 0
    snr_db = max(0.0, voice_db - float(unvoiced_db))
    softer_db = max(0.0, activity.voice_db - voice_db - _SOFTER_DB / 2)
    weight = min(1.0, snr_db / _GOOD_SNR_DB) * max(0.0, 1 - softer_db / _SOFTER_DB)
    return float(voiced.sum()) * HOP_S * weight
