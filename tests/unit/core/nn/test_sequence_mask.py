"""A mask in all its forms equals the slow reference, in outputs and gradients."""

import random
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import flex_attention as flex

from latentspeech.core.errors import ConfigError
from latentspeech.core.nn import sequence_mask
from latentspeech.core.nn.attention import _compiled, attend
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.sequence_mask import TILE, SequenceMask, run_bounds
from latentspeech.core.nn.transformer import Transformer
from tests.reference.sequence_mask import slow_attention, visible_pairs

ROWS = (
    [(1, 3, 250, 127, 129, 1), 12],  # segment lengths, padding
    [(511,), 12],
    [(128, 128, 128, 128), 11],
)


class Layout(NamedTuple):
    """What a mask is made from."""

    causal: bool
    segment_ids: Tensor | None  # (B, T)
    block_ids: Tensor | None  # (B, T)
    length: int

    def mask(self) -> SequenceMask:
        index = torch.arange(self.length)
        return SequenceMask.whole(index, self.causal, self.segment_ids, self.block_ids)

    def reference(self, batch: int = 2) -> Tensor:
        """(B, T, T) by loops."""
        rows = []
        for row in range(batch):
            segments, blocks = (
                None if ids is None else ids[row].tolist()
                for ids in (self.segment_ids, self.block_ids)
            )
            rows.append(visible_pairs(self.length, self.causal, segments, blocks))
        return torch.stack(rows)


def random_runs(rng: random.Random, length: int, outside: bool) -> list[int]:
    """Runs of ids; with `outside`, every other run has the id -1, and ids may follow directly."""
    ids: list[int] = []
    while len(ids) < length:
        ids += [-1 if outside and rng.random() < 0.4 else len(ids)] * rng.randint(1, 9)
    return ids[:length]


def random_layout(seed: int, length: int) -> Layout:
    """Each combination of order, segments and blocks comes within eight seeds."""
    rng = random.Random(seed)
    causal, packed, blocks = bool(seed & 1), bool(seed & 2), bool(seed & 4)

    def ids(outside: bool) -> Tensor:
        return torch.tensor([random_runs(rng, length, outside) for _ in range(2)])

    segment_ids = ids(outside=False) if packed else None
    block_ids = ids(outside=True) if blocks and causal else None
    return Layout(causal, segment_ids, block_ids, length)


def segments(row: tuple[int, ...], padding: int) -> list[int]:
    return [i for i, length in enumerate(row) for _ in range(length)] + [-1] * padding


def packed_mask(rows=ROWS) -> SequenceMask:
    ids = torch.tensor([segments(*row) for row in rows])
    return SequenceMask.whole(torch.arange(ids.shape[1]), True, ids, None)


@pytest.fixture
def _backward_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its eager form differentiates on a CPU as anywhere; torch only forbids it there."""
    monkeypatch.setattr(flex, "_validate_device", lambda query, key, value: None)


def inputs(length: int, heads: int = 4, kv_heads: int = 2, size: int = 8) -> list[Tensor]:
    sizes = (heads, kv_heads, kv_heads)
    return [torch.randn(2, n, length, size, dtype=torch.float64, requires_grad=True) for n in sizes]


def with_gradients(y: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device).view_as(y)
    return [y, *torch.autograd.grad((y * weights).sum(), leaves)]


def test_bounds_of_runs() -> None:
    first, last = run_bounds(torch.tensor([[4, 4, 7, 4, 4, 4]]))
    assert first.tolist() == [[0, 0, 2, 3, 3, 3]]
    assert last.tolist() == [[1, 1, 2, 5, 5, 5]]
    first, last = run_bounds(torch.tensor([[0, 0, 0, 1]]), torch.tensor([[5, 6, 6, 6]]))
    assert (first.tolist(), last.tolist()) == ([[0, 1, 1, 3]], [[0, 2, 2, 3]])


def test_the_picture_in_the_docstring() -> None:
    ids = torch.tensor([[0] * 6 + [1] * 3])
    blocks = torch.tensor([[-1, -1, 0, 0, 0, -1, -1, -1, -1]])
    seen = SequenceMask.whole(torch.arange(9), True, ids, blocks).dense()[0, 0]
    assert seen[3].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]
    assert seen[5].nonzero().flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert seen[7].nonzero().flatten().tolist() == [6, 7]


@pytest.mark.parametrize("seed", range(40))
def test_dense_equals_the_reference_pair_by_pair(seed: int) -> None:
    layout = random_layout(seed, 30)
    assert torch.equal(layout.mask().dense()[:, 0].expand(2, -1, -1), layout.reference())


@pytest.mark.usefixtures("_backward_on_cpu")
@pytest.mark.parametrize("seed", range(8))
def test_every_backend_equals_slow_attention_with_gradients(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence_mask, "TILE", 8)
    torch.manual_seed(seed)
    layout = random_layout(seed, 29)
    mask, leaves = layout.mask(), inputs(29)
    expected = with_gradients(slow_attention(*leaves, layout.reference()), leaves)
    for form in (mask.dense(), mask.prepare(flex=False), mask.prepare(flex=True)):
        found = with_gradients(attend(*leaves, form), leaves)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    plain = layout.segment_ids is None and layout.block_ids is None
    assert isinstance(form, str if plain else flex.BlockMask)


@pytest.mark.parametrize("seed", range(16))
def test_tiles_cover_what_is_visible_and_no_more(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tile that holds a visible pair is listed once; full tiles are full."""
    monkeypatch.setattr(sequence_mask, "TILE", 8)
    check_tiles(random_layout(seed, 64).mask(), 8)


def test_tiles_of_long_packed_rows() -> None:
    rows = [[(1, 3, 250, 127, 129, 1), 1], [(511,), 1], [(128, 128, 128, 127), 1]]
    check_tiles(packed_mask(rows), TILE)


def check_tiles(mask: SequenceMask, tile: int) -> None:
    blocks, dense = mask.block_mask(), mask.dense()[:, 0]
    count = mask.num_keys // tile
    tiles = dense.view(-1, count, tile, count, tile).transpose(2, 3)
    visible, full = tiles.any(-1).any(-1), tiles.all(-1).all(-1)
    for b in range(len(dense)):
        for i in range(count):
            partial = blocks.kv_indices[b, 0, i, : blocks.kv_num_blocks[b, 0, i]].tolist()
            whole = blocks.full_kv_indices[b, 0, i, : blocks.full_kv_num_blocks[b, 0, i]].tolist()
            assert sorted(partial + whole) == visible[b, i].nonzero().flatten().tolist()
            assert sorted(whole) == full[b, i].nonzero().flatten().tolist()
    index = torch.arange(mask.num_keys)
    rows = torch.arange(len(dense))[:, None, None]
    assert torch.equal(blocks.mask_mod(rows, None, index[:, None], index), dense)


def test_blocks_without_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="block_ids were given, but without causal order"):
        SequenceMask.whole(torch.arange(3), False, None, torch.zeros(1, 3, dtype=torch.long))


@pytest.mark.usefixtures("_backward_on_cpu")
@pytest.mark.parametrize("length", [300, 384])
def test_flex_equals_dense_and_every_sequence_alone(length: int) -> None:
    rows = [[(40, 200, 7), length - 247], [(129, 130, 41), length - 300]]
    mask = packed_mask(rows)
    q, k, v = inputs(length)
    y = attend(q, k, v, mask.block_mask())
    found = with_gradients(y, [q, k, v])
    expected = with_gradients(attend(q, k, v, mask.dense()), [q, k, v])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    for row, (parts, _) in enumerate(rows):
        at = 0
        for part in parts:
            span = [x[row : row + 1, :, at : at + part] for x in (q, k, v)]
            alone = functional.scaled_dot_product_attention(*span, is_causal=True, enable_gqa=True)
            torch.testing.assert_close(y[row, :, at : at + part], alone[0], rtol=1e-9, atol=1e-9)
            at += part


@pytest.mark.usefixtures("_backward_on_cpu")
def test_no_gradient_crosses_in_a_whole_transformer(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TransformerConfig(
        model_dim=32, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=16, ffn_dim=32
    )
    model = Transformer(config).double()
    lengths = (100, 150, 30)
    ids = torch.tensor([segments(lengths, 10)])
    x = torch.randn(1, 290, 32, dtype=torch.float64, requires_grad=True)
    reference = model(x, ids)
    monkeypatch.setattr(SequenceMask, "dense", SequenceMask.block_mask)
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
def test_compiled_on_a_cpu_forward_equals_the_dense_mask() -> None:
    torch.compiler.reset()
    ids = torch.tensor([segments((40, 200, 7), 9), segments((129, 100), 27)])
    blocks = torch.tensor([[-1] * 50 + [0] * 140 + [1] * 66, [0] * 200 + [-1] * 56])
    mask = SequenceMask.whole(torch.arange(256), True, ids, blocks)
    q, k, v = (torch.randn(2, heads, 256, 16) for heads in (4, 2, 2))
    with torch.no_grad():
        y = _compiled()(q, k, v, block_mask=mask.block_mask(), enable_gqa=True)
    torch.testing.assert_close(y, attend(q, k, v, mask.dense()), rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("causal", [True, False])
def test_compiled_on_a_gpu_it_equals_the_dense_mask(causal: bool) -> None:
    ids = torch.tensor([segments(*row) for row in ROWS], device="cuda")
    length = ids.shape[1]
    blocks = torch.arange(length, device="cuda").expand_as(ids) // 90
    blocks = blocks.where(blocks % 2 == 0, -1) if causal else None
    mask = SequenceMask.whole(torch.arange(length, device="cuda"), causal, ids, blocks)
    leaves = [
        torch.randn(3, heads, length, 64, device="cuda", requires_grad=True) for heads in (4, 2, 2)
    ]
    ours = with_gradients(attend(*leaves, mask.prepare(flex=True)), leaves)
    theirs = with_gradients(attend(*leaves, mask.dense()), leaves)
    torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("segments", "blocks", "message"),
    [
        ((2, 5), None, r"segment_ids has shape \(2, 5\); expected \(B, 4\)"),
        (None, (2, 3), r"block_ids has shape \(2, 3\); expected \(B, 4\)"),
        (None, (4,), r"expected \(B, 4\)"),
        ((2, 4), (3, 4), r"block_ids has shape \(3, 4\); expected \(2, 4\)"),
    ],
)
def test_ids_that_do_not_fit_the_sequence_are_refused(
    segments: tuple[int, ...] | None, blocks: tuple[int, ...] | None, message: str
) -> None:
    segment_ids, block_ids = (
        None if shape is None else torch.zeros(shape, dtype=torch.long)
        for shape in (segments, blocks)
    )
    with pytest.raises(ValueError, match=message):
        SequenceMask.whole(torch.arange(4), True, segment_ids, block_ids)
    if block_ids is not None:
        with pytest.raises(ValueError, match="block_ids has shape"):
            SequenceMask.after_cache(torch.arange(4)[None], 4, block_ids)
