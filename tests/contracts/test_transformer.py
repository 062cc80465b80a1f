"""Prefill + step equals forward: grouped queries, ragged rows, blocks; causality; no leaks."""

from dataclasses import replace

import pytest
import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.sequence_mask import run_bounds
from latentspeech.core.nn.streaming import reset_rows
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.tensors import copy_state


def make(num_kv_heads: int = 2, ffn_kind: str = "swiglu", **settings: object) -> Transformer:
    torch.manual_seed(3)
    config = TransformerConfig(
        model_dim=24,
        num_layers=3,
        num_heads=4,
        num_kv_heads=num_kv_heads,
        head_dim=6,
        ffn_dim=32,
        ffn_kind=ffn_kind,
        **settings,
    )
    model = Transformer(config).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("num_kv_heads", [1, 2, 4])
@pytest.mark.parametrize("ffn_kind", ["swiglu", "gelu"])
@pytest.mark.parametrize("sizes", [[1] * 9, [4, 5], [9], [3, 1, 1, 4], [2, 6, 1]])
def test_prefill_and_step_equal_forward(num_kv_heads: int, ffn_kind: str, sizes: list[int]) -> None:
    model = make(num_kv_heads, ffn_kind)
    x = torch.randn(2, 9, 24, dtype=torch.float64)
    state = model.init_state(2, 9)
    outputs = []
    for piece in x.split(sizes, dim=1):
        y, state = model.step(piece, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, 1), model(x), rtol=1e-10, atol=1e-10)


def test_ragged_rows_equal_single_ones() -> None:
    model = make()
    lengths = [5, 2, 4]
    x = torch.randn(3, 9, 24, dtype=torch.float64)
    expected = model(x)
    state = model.init_state(3, 12)
    prefill, state = model.step(x[:, :5], state, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        torch.testing.assert_close(prefill[row, :length], expected[row, :length])
    steps = [0, 0, 0]
    for turn in range(6):
        # Row 1 pauses every other turn: rows advance alone.
        alive = torch.tensor([1, turn % 2, 1])
        alive = alive * torch.tensor([lengths[r] + steps[r] < 9 for r in range(3)])
        at = [min(8, lengths[row] + steps[row]) for row in range(3)]
        y, state = model.step(torch.stack([x[r, at[r]] for r in range(3)])[:, None], state, alive)
        for row in range(3):
            if alive[row]:
                torch.testing.assert_close(y[row, 0], expected[row, at[row]])
                steps[row] += 1
    assert state.lengths.tolist() == [lengths[row] + steps[row] for row in range(3)]


def test_rows_reset_save_and_load_alone() -> None:
    model = make()
    x = torch.randn(2, 8, 24, dtype=torch.float64)
    expected = model(x)
    state = model.init_state(2, 16)
    _, state = model.step(x[:, :5], state)
    saved = state.row(1)
    assert saved.keys.shape[3] == 5
    state.reset_rows(torch.tensor([False, True]))
    y, state = model.step(torch.stack((x[0, 5], x[1, 0]))[:, None], state)
    torch.testing.assert_close(y[0, 0], expected[0, 5])
    torch.testing.assert_close(y[1, 0], expected[1, 0])
    state.load_row(1, saved)
    y, state = model.step(torch.stack((x[0, 6], x[1, 5]))[:, None], state)
    torch.testing.assert_close(y[0, 0], expected[0, 6])
    torch.testing.assert_close(y[1, 0], expected[1, 5])
    twin = copy_state(state)
    model.step(torch.randn(2, 1, 24, dtype=torch.float64), state)
    y, _ = model.step(torch.stack((x[0, 7], x[1, 6]))[:, None], twin)
    torch.testing.assert_close(y[0, 0], expected[0, 7])


def test_the_general_reset_of_rows_fits_the_cache() -> None:
    """With as many rows as layers, where zeroing along the first axis would hit the layers."""
    model = make()
    x = torch.randn(3, 8, 24, dtype=torch.float64)
    expected = model(x)
    state = model.init_state(3, 8)
    _, state = model.step(x[:, :5], state)
    state = reset_rows(state, torch.tensor([False, True, False]))
    assert (state.lengths.tolist(), state.end, state.uniform) == ([5, 0, 5], 5, False)
    y, state = model.step(torch.stack((x[0, 5], x[1, 0], x[2, 5]))[:, None], state)
    torch.testing.assert_close(y[:, 0], expected[[0, 1, 2], [5, 0, 5]])


BLOCKS = torch.tensor([[-1, -1, 0, 0, 0, -1, 1, 1, 2], [0, 0, 0, 0, 0, -1, -1, 3, 3]])


@pytest.mark.parametrize("num_kv_heads", [1, 4])
@pytest.mark.parametrize("sizes", [[9], [5, 4], [5, 1, 2, 1], [6, 3]])
def test_prefill_and_step_equal_forward_with_blocks(num_kv_heads: int, sizes: list[int]) -> None:
    model = make(num_kv_heads)
    x = torch.randn(2, 9, 24, dtype=torch.float64)
    blocks = BLOCKS if sizes != [5, 1, 2, 1] else BLOCKS[:1].expand(2, 9)
    expected = model(x, block_ids=blocks)
    assert (expected - model(x)).abs().max() > 0.1
    state = model.init_state(2, 9)
    outputs = []
    for piece, ids in zip(x.split(sizes, dim=1), blocks.split(sizes, dim=1), strict=True):
        y, state = model.step(piece, state, block_ids=ids)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, 1), expected, rtol=1e-10, atol=1e-10)


def test_ragged_rows_with_blocks_do_not_see_their_padding() -> None:
    model = make()
    x = torch.randn(2, 9, 24, dtype=torch.float64)
    expected = model(x, block_ids=BLOCKS)
    state = model.init_state(2, 12)
    first, state = model.step(x[:, :5], state, torch.tensor([2, 5]), block_ids=BLOCKS[:, :5])
    torch.testing.assert_close(first[0, :2], expected[0, :2])
    torch.testing.assert_close(first[1], expected[1, :5])
    # Behind rows of unequal length: an image of three in one row, of one and padding in the other.
    chunk = torch.stack((x[0, 2:5], torch.cat((x[1, 5:6], 1e3 * torch.ones_like(x[1, :2])))))
    ids = torch.tensor([[0, 0, 0], [4, 4, 4]])
    y, state = model.step(chunk, state, torch.tensor([3, 1]), block_ids=ids)
    torch.testing.assert_close(y[0], expected[0, 2:5])
    torch.testing.assert_close(y[1, 0], expected[1, 5])


def test_a_block_can_be_fed_again_and_again() -> None:
    """As image-level diffusion does behind a cached text: copies of the state share its storage."""
    model = make()
    text, *images = torch.randn(4, 1, 4, 24, dtype=torch.float64)
    state = model.init_state(1, 8)
    _, state = model.step(text, state)
    ids = torch.zeros(1, 4, dtype=torch.long)
    for image in images:
        y, _ = model.step(image, replace(state), block_ids=ids)
        whole = model(torch.cat((text, image), 1), block_ids=torch.cat((ids - 1, ids), 1))
        torch.testing.assert_close(y, whole[:, 4:], rtol=1e-10, atol=1e-10)


def test_who_sees_whom_by_gradient_with_blocks_and_segments() -> None:
    model = make()
    segments = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1]])
    blocks = torch.tensor([[-1, 0, 0, -1, 1, 1, -1, 1]])
    seen = ["1....", "111...", "111...", "1111..", "....11", "....11", "....111", "....1111"]
    x = torch.randn(1, 8, 24, dtype=torch.float64, requires_grad=True)
    hidden = model(x, segments, blocks)
    for index, row in enumerate(seen):
        (gradient,) = torch.autograd.grad(hidden[0, index].sum(), x, retain_graph=True)
        found = "".join("1" if size > 0 else "." for size in gradient[0].abs().amax(dim=-1))
        assert found == row.ljust(8, ".")


def test_without_causal_order_everyone_sees_everyone() -> None:
    model = make(causal=False)
    x = torch.randn(1, 7, 24, dtype=torch.float64, requires_grad=True)
    hidden = model(x)
    for index in range(7):
        (gradient,) = torch.autograd.grad(hidden[0, index].sum(), x, retain_graph=True)
        assert gradient[0].abs().amax(dim=-1).min() > 0
    segments = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
    packed = model(x, segments)
    alone = torch.cat((model(x[:, :3]), model(x[:, 3:])), 1)
    torch.testing.assert_close(packed, alone, rtol=1e-10, atol=1e-10)


def test_without_causal_order_there_is_no_step() -> None:
    model = make(causal=False)
    with pytest.raises(ConfigError, match="causal: false has no cache and no step"):
        model.init_state(1, 4)


def test_without_rotation_order_comes_from_the_inputs_alone() -> None:
    """Inputs in another order give the outputs in that order; rotary positions do not."""
    plain, rotated = make(causal=False, rotary=False), make(causal=False)
    x = torch.randn(2, 7, 24, dtype=torch.float64)
    order = torch.tensor([3, 1, 0, 6, 2, 5, 4])
    torch.testing.assert_close(plain(x[:, order]), plain(x)[:, order], rtol=1e-10, atol=1e-10)
    assert (rotated(x[:, order]) - rotated(x)[:, order]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="rope_theta 500 has no effect with rotary: false"):
        TransformerConfig(rotary=False, rope_theta=500)


def test_causality_by_gradient() -> None:
    model = make()
    x = torch.randn(1, 7, 24, dtype=torch.float64, requires_grad=True)
    hidden = model(x)
    for index in range(7):
        (gradient,) = torch.autograd.grad(hidden[0, index].sum(), x, retain_graph=True)
        assert gradient[0, : index + 1].abs().amax(dim=-1).min() > 0
        assert gradient[0, index + 1 :].abs().sum() == 0


def test_packed_sequences_never_leak() -> None:
    model = make()
    parts = [torch.randn(1, n, 24, dtype=torch.float64) for n in (3, 5, 2)]
    segments = torch.tensor([[0] * 3 + [1] * 5 + [2] * 2])
    x = torch.cat(parts, 1).requires_grad_()
    hidden = model(x, segments)
    expected = torch.cat([model(part) for part in parts], 1)
    torch.testing.assert_close(hidden, expected, rtol=1e-10, atol=1e-10)
    (gradient,) = torch.autograd.grad(hidden[0, 3:8].sum(), x)
    assert gradient[0, :3].abs().sum() == 0
    assert gradient[0, 8:].abs().sum() == 0
    assert run_bounds(segments)[0].tolist() == [[0, 0, 0, 3, 3, 3, 3, 3, 8, 8]]


def test_a_full_cache_says_so() -> None:
    model = make()
    with pytest.raises(ConfigError, match="needs 5 positions but the cache holds 4"):
        model.step(torch.zeros(1, 5, 24, dtype=torch.float64), model.init_state(1, 4))


def test_an_unfit_row_says_so() -> None:
    model = make()
    state: KVCache = model.init_state(1, 8)
    _, state = model.step(torch.zeros(1, 6, 24, dtype=torch.float64), state)
    with pytest.raises(ConfigError, match="prefix of 6 positions does not fit a cache of 4"):
        model.init_state(1, 4).load_row(0, state)
