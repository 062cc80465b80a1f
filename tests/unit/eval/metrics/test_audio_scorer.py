import math

import pytest
import torch

from latentspeech.audio.signal_check import check_signal, is_silent
from latentspeech.core.errors import InputError
from latentspeech.eval.metrics.audio_scorer import align_pair


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
