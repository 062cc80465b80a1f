"""FlexAttention over packed rows equals the dense mask, and each sequence alone."""

import pytest
import torch
from torch.nn import functional
from torch.nn.attention import flex_attention as flex

from latentspeech.core.nn import transformer
from latentspeech.core.nn.packed_attention import (
    BLOCK,
    _compiled,
    attend,
    block_mask,
    dense_mask,
    packed_mask,
    segment_positions,
)
from latentspeech.core.nn.transformer import Transformer, TransformerConfig

ROWS = (
    [(1, 3, 250, 127, 129, 1), 12],  # segment lengths, padding
    [(511,), 12],
    [(128, 128, 128, 128), 11],
)


def segments(row: tuple[int, ...], padding: int) -> list[int]:
    return [i for i, length in enumerate(row) for _ in range(length)] + [-1] * padding


def positions_of(rows=ROWS) -> torch.Tensor:
    return segment_positions(torch.tensor([segments(*row) for row in rows]))


@pytest.fixture
def _backward_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its eager form differentiates on a CPU as anywhere; torch only forbids it there."""
    monkeypatch.setattr(flex, "_validate_device", lambda query, key, value: None)


def inputs(length: int, heads: int = 4, kv_heads: int = 2) -> list[torch.Tensor]:
    sizes = (heads, kv_heads, kv_heads)
    return [torch.randn(2, n, length, 16, dtype=torch.float64, requires_grad=True) for n in sizes]


def test_blocks_cover_what_the_dense_mask_allows_and_no_more():
    """Each block that holds a visible pair is listed once; full blocks are full."""
    rows = [[(1, 3, 250, 127, 129, 1), 1], [(511,), 1], [(128, 128, 128, 127), 1]]
    positions = positions_of(rows)
    mask, dense = block_mask(positions), dense_mask(positions)[:, 0]
    count = 512 // BLOCK
    tiles = dense.view(3, count, BLOCK, count, BLOCK).transpose(2, 3)
    visible, full = tiles.any(-1).any(-1), tiles.all(-1).all(-1)
    for b in range(3):
        for i in range(count):
            partial = mask.kv_indices[b, 0, i, : mask.kv_num_blocks[b, 0, i]].tolist()
            whole = mask.full_kv_indices[b, 0, i, : mask.full_kv_num_blocks[b, 0, i]].tolist()
            assert sorted(partial + whole) == visible[b, i].nonzero().flatten().tolist()
            assert all(full[b, i, j] for j in whole)
            assert not any(full[b, i, j] for j in partial)
    index = torch.arange(512)
    found = mask.mask_mod(torch.arange(3)[:, None, None], None, index[:, None], index)
    assert torch.equal(found, dense)


def test_dense_mask_is_causal_within_segments():
    ids = torch.tensor([[0, 0, 1, 1, 1, -1]])
    expected = (ids[0][:, None] == ids[0]) & torch.ones(6, 6, dtype=torch.bool).tril()
    assert torch.equal(dense_mask(segment_positions(ids))[0, 0], expected)
    assert isinstance(packed_mask(segment_positions(ids)), torch.Tensor)  # no GPU here


@pytest.mark.usefixtures("_backward_on_cpu")
@pytest.mark.parametrize("length", [300, 384])
def test_flex_equals_dense_and_every_sequence_alone(length: int):
    rows = [[(40, 200, 7), length - 247], [(129, 130, 41), length - 300]]
    positions = positions_of(rows)
    q, k, v = inputs(length)
    y = attend(q, k, v, block_mask(positions))
    reference = functional.scaled_dot_product_attention(
        q, k, v, attn_mask=dense_mask(positions), enable_gqa=True
    )
    torch.testing.assert_close(y, reference, rtol=1e-9, atol=1e-9)
    weights = torch.randn_like(y)
    ours = torch.autograd.grad((y * weights).sum(), (q, k, v))
    theirs = torch.autograd.grad((reference * weights).sum(), (q, k, v))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    for row, (parts, _) in enumerate(rows):
        at = 0
        for part in parts:
            span = [x[row : row + 1, :, at : at + part] for x in (q, k, v)]
            alone = functional.scaled_dot_product_attention(*span, is_causal=True, enable_gqa=True)
            torch.testing.assert_close(y[row, :, at : at + part], alone[0], rtol=1e-9, atol=1e-9)
            at += part


@pytest.mark.usefixtures("_backward_on_cpu")
def test_no_gradient_crosses_in_a_whole_transformer(monkeypatch: pytest.MonkeyPatch):
    config = TransformerConfig(
        model_dim=32, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=16, ffn_dim=32
    )
    model = Transformer(config).double()
    lengths = (100, 150, 30)
    ids = torch.tensor([segments(lengths, 10)])
    x = torch.randn(1, 290, 32, dtype=torch.float64, requires_grad=True)
    reference = model(x, ids)
    monkeypatch.setattr(transformer, "packed_mask", block_mask)
    hidden = model(x, ids)
    torch.testing.assert_close(hidden, reference, rtol=1e-9, atol=1e-9)
    (gradient,) = torch.autograd.grad(hidden[0, 100:250].sum(), x, retain_graph=True)
    assert gradient[0, :100].abs().sum() == 0
    assert gradient[0, 250:].abs().sum() == 0
    assert gradient[0, 100:250].abs().amax(dim=-1).min() > 0
    at = 0
    for length in lengths:
        part = slice(at, at + length)
        alone = model(x[:, part])
        torch.testing.assert_close(hidden[:, part], alone, rtol=1e-9, atol=1e-9)
        ours = torch.autograd.grad(hidden[:, part].square().sum(), x, retain_graph=True)
        theirs = torch.autograd.grad(alone.square().sum(), x, retain_graph=True)
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
        at += length


@pytest.mark.slow
def test_compiled_on_a_cpu_forward_equals_the_dense_mask():
    torch.compiler.reset()
    positions = positions_of([[(40, 200, 7), 9], [(129, 100), 27]])
    q, k, v = (torch.randn(2, heads, 256, 16) for heads in (4, 2, 2))
    with torch.no_grad():
        y = _compiled()(q, k, v, block_mask=block_mask(positions), enable_gqa=True)
    reference = functional.scaled_dot_product_attention(
        q, k, v, attn_mask=dense_mask(positions), enable_gqa=True
    )
    torch.testing.assert_close(y, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_compiled_on_a_gpu_it_equals_the_dense_mask():
    positions = positions_of().cuda()
    length = positions.shape[1]
    q, k, v = (
        torch.randn(3, heads, length, 64, device="cuda", requires_grad=True) for heads in (4, 2, 2)
    )
    y = attend(q, k, v, packed_mask(positions))
    reference = functional.scaled_dot_product_attention(
        q, k, v, attn_mask=dense_mask(positions), enable_gqa=True
    )
    torch.testing.assert_close(y, reference, rtol=1e-2, atol=1e-2)
    weights = torch.randn_like(y)
    ours = torch.autograd.grad((y * weights).sum(), (q, k, v))
    theirs = torch.autograd.grad((reference * weights).sum(), (q, k, v))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-2, atol=2e-2)
