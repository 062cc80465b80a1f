"""Documents longer than a row: where they are cut, and what each piece learns to predict."""

import pytest
import torch

from latentspeech.core.lm.mixed_batch import collate, cut, pack
from latentspeech.core.lm.mixed_sequence import (
    TOKEN,
    LatentSpan,
    MixedSequence,
    TokenSpan,
    num_elements,
)


def text(first: int, count: int, target: bool = True) -> TokenSpan:
    ids = torch.arange(first, first + count)
    return TokenSpan(ids, target, neighbours=torch.stack((ids - 1, ids + 1), dim=1))


def latents(first: int, count: int, whole: bool) -> LatentSpan:
    return LatentSpan(0, torch.arange(first, first + count).float()[:, None], True, whole)


def document() -> MixedSequence:
    """Elements are their own numbers: 0..10, a picture 11..16, 17..18, sound 19..28, 29..40."""
    return [
        text(0, 11),
        latents(11, 6, whole=True),
        text(17, 2, target=False),
        latents(19, 10, whole=False),
        text(29, 12),
    ]


def numbers(sequence: MixedSequence) -> list[int]:
    parts = [span.ids if isinstance(span, TokenSpan) else span.latents[:, 0] for span in sequence]
    return [int(number) for number in torch.cat([part.float() for part in parts])]


def predicted(sequences: list[MixedSequence]) -> list[int]:
    """The numbers of all targets, as a batch lays them out."""
    batch = collate(sequences, (1,))
    values = batch.token_ids.float()
    values[batch.kinds > TOKEN] = batch.latents[0][:, 0]
    return sorted(values[batch.targets].long().tolist())


@pytest.mark.parametrize("max_length", [8, 9, 12, 20])
def test_every_target_is_predicted_once(max_length: int) -> None:
    pieces = cut(document(), max_length)
    assert all(num_elements(piece) <= max_length for piece in pieces)
    seen: list[int] = []
    unpredicted = []
    for piece in pieces:
        found = numbers(piece)
        if seen and found[0] == seen[-1]:  # the element before, as context
            assert not piece[0].target
            found = found[1:]
        elif seen:
            assert found[0] == 17, "only a piece after the picture begins without context"
            unpredicted.append(found[0])
        seen += found
    assert seen == list(range(41))
    whole = set(range(1, 41)) - {17, 18}  # 17 and 18 are no targets
    assert predicted(pieces) == sorted(whole - set(unpredicted))


@pytest.mark.parametrize("max_length", [7, 8, 12, 16])
def test_a_whole_span_stays_in_one_piece(max_length: int) -> None:
    pictures = [
        span
        for piece in cut(document(), max_length)
        for span in piece
        if isinstance(span, LatentSpan) and span.whole
    ]
    assert [numbers([span]) for span in pictures] == [list(range(11, 17))]


def test_neighbours_go_with_their_tokens() -> None:
    for piece in cut(document(), 7):
        for span in piece:
            if isinstance(span, TokenSpan):
                assert span.neighbours is not None
                assert torch.equal(span.neighbours[:, 0], span.ids - 1)
                assert torch.equal(span.neighbours[:, 1], span.ids + 1)


def test_what_fits_is_left_as_it_is() -> None:
    (piece,) = cut(document(), 41)
    assert numbers(piece) == list(range(41))
    assert predicted([piece]) == predicted([document()])


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match=r"span of 6 elements .* does not fit rows of 6"):
        cut(document(), 6)
    with pytest.raises(ValueError, match="expected 2 or more"):
        cut(document(), 1)


def test_whole_tokens_stay_together() -> None:
    """As the codes of an image do; the piece after them has no context."""
    codes = TokenSpan(torch.arange(100, 106), True, whole=True)
    text_before = TokenSpan(torch.arange(3), True)
    pieces = cut([text_before, codes, TokenSpan(torch.arange(9), True)], 7)
    listed = [[span.ids.tolist() for span in piece] for piece in pieces]  # type: ignore[union-attr]
    assert listed == [[[0, 1, 2]], [[2], list(range(100, 106))], [list(range(7))], [[6], [7, 8]]]
    with pytest.raises(ValueError, match="span of 6 elements"):
        cut([text_before, codes], 6)


def test_packing_cuts_on_request_alone() -> None:
    with pytest.raises(ValueError, match="41 elements does not fit rows of 16"):
        pack([document()], (1,), 16)
    sequences = [document(), [text(50, 5)]]
    batch = pack(sequences, (1,), 16, too_long="cut")
    assert batch.kinds.shape[1] <= 16
    values = batch.token_ids[batch.targets & (batch.kinds == TOKEN)]
    first = [number for number in predicted(cut(document(), 16)) if number not in range(11, 17)]
    tokens = [number for number in first if number not in range(19, 29)]
    assert sorted(values.tolist()) == [*tokens, 51, 52, 53, 54]
