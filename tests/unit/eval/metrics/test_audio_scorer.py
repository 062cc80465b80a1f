import math

import pytest
import torch

from latentspeech.audio.signal_check import check_signal, is_silent
from latentspeech.core.errors import InputError
from latentspeech.eval.metrics.audio_scorer import align_pair, measure_blocks


@pytest.mark.parametrize(
    ("audio", "found"),
    [
        (torch.zeros(0), "empty"),
        (torch.zeros(2, 10), "shape"),
        (torch.tensor([0.0, math.nan]), "NaN"),
        (torch.tensor([0.0, math.inf]), "NaN or infinite"),
    ],
)
def test_unusable_signals_are_errors(audio, found):
    with pytest.raises(InputError, match=f"hypothesis audio.*{found}"):
        check_signal("hypothesis", audio, 16000)


def test_pairs_are_cut_to_the_common_length_and_say_so():
    pair = align_pair("X", torch.ones(1000), torch.ones(1600), 1000)
    assert pair.reference.shape == pair.hypothesis.shape == (1000,)
    assert pair.details == {"duration_s": 1.0, "length_difference_s": 0.6}
    assert align_pair("X", torch.ones(9), torch.ones(4), 1).details["length_difference_s"] == -5.0


def test_a_reference_that_is_missing_or_silent_where_it_counts_is_an_error():
    with pytest.raises(InputError, match="none was given"):
        align_pair("X", None, torch.ones(10), 100)
    late = torch.cat([torch.zeros(50), torch.ones(50)])
    with pytest.raises(InputError, match="silent"):
        align_pair("X", late, torch.ones(50), 100)
    assert is_silent(torch.full((5,), 1e-5))
    assert not is_silent(late)


def test_blocks_are_equal_and_those_without_speech_count_for_nothing():
    reference = torch.ones(100)
    reference[40:60] = 0.0  # the third of five blocks
    hypothesis = torch.arange(100.0)
    seen = []

    def measure(clean, tested):
        seen.append((len(clean), len(tested)))
        return None if tested[0] == 0 else float(tested[0])

    assert measure_blocks(reference, hypothesis, 24.0, measure) == [20.0, 60.0, 80.0]
    assert seen == [(20, 20)] * 4
    assert measure_blocks(reference, hypothesis, 100.0, lambda clean, tested: 1.0) == [1.0]
