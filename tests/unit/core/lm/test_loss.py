"""The objective: its weights and counts, chunks of logits, and models without modalities."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from latentspeech.core.lm import loss as loss_module
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import TOKEN_PART, decision_ids, latent_lm_loss, loss_counts
from latentspeech.core.lm.mixed_batch import MixedBatch, collate
from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan
from latentspeech.core.nn.config import TransformerConfig

VOCABULARY = 500
BACKBONE = TransformerConfig(
    model_dim=16, num_layers=1, num_heads=2, num_kv_heads=2, head_dim=8, ffn_dim=32
)


def config(weights: tuple[float, ...] = (1.0, 1.0)) -> LatentLMConfig:
    modalities = tuple(
        ModalityConfig(
            name=f"kind {k}",
            latent_dim=3 + k,
            bod_id=10 + 3 * k,
            eod_id=11 + 3 * k,
            slot_id=12 + 3 * k,
            head_layers=1,
            head_ffn_dim=16,
            diffusion_weight=weight,
        )
        for k, weight in enumerate(weights)
    )
    return LatentLMConfig(backbone=BACKBONE, vocab_size=VOCABULARY, modalities=modalities)


def model(settings: LatentLMConfig) -> LatentLM:
    torch.manual_seed(0)
    made = LatentLM(settings)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def batch(num_tokens: int = 60) -> MixedBatch:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(20, VOCABULARY, (num_tokens,), generator=generator)
    sequence = [
        TokenSpan(ids, True),
        TokenSpan(torch.tensor([10]), True),
        LatentSpan(0, torch.randn(5, 3, generator=generator), True),
        TokenSpan(torch.tensor([11, 13]), True),
        LatentSpan(1, torch.randn(4, 4, generator=generator), True),
        TokenSpan(torch.tensor([14]), True),
    ]
    return collate([sequence, sequence[:2], sequence[2:4]], (3, 4))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_each_modality_has_a_weight() -> None:
    plain = latent_lm_loss(model(config()), batch(), generator())
    weighted = latent_lm_loss(model(config((0.25, 3.0))), batch(), generator())
    assert torch.equal(weighted.token, plain.token)
    expected = plain.token + 0.25 * plain.diffusion[0] + 3.0 * plain.diffusion[1]
    torch.testing.assert_close(weighted.total, expected)
    torch.testing.assert_close(sum(weighted.parts.values()), expected)


def test_counts_are_known_ahead() -> None:
    lm = model(config())
    found = latent_lm_loss(lm, batch(), generator())
    # 60 tokens but the first, BOD, four of five latents, EOD and so on; then the shorter rows.
    assert found.num_tokens == (59 + 1 + 4 + 2 + 3 + 1) + 60 + (4 + 2)
    assert found.num_latents == (5 + 4, 4)
    counts = {name: int(count) for name, count in loss_counts(lm, batch()).items()}
    assert list(counts.values()) == [found.num_tokens, *found.num_latents]
    assert counts.keys() == found.parts.keys()


def test_what_is_bound_to_come_is_no_decision() -> None:
    """The latents of a modality of fixed length and the EOD after them; what follows is open."""
    settings = config()
    fixed = settings.modalities[1].model_copy(update={"num_latents": 4})
    lm = model(settings.model_copy(update={"modalities": (settings.modalities[0], fixed)}))
    sequence = [
        TokenSpan(torch.tensor([20, 10]), True),
        LatentSpan(0, torch.zeros(3, 3), True),
        TokenSpan(torch.tensor([11, 13]), True),
        LatentSpan(1, torch.zeros(4, 4), True),
        TokenSpan(torch.tensor([14, 21]), True),
    ]
    _, choice = decision_ids(lm, collate([sequence], (3, 4)))
    assert choice[0].long().tolist() == [1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]


def test_a_plain_language_model_has_the_token_part_alone() -> None:
    lm = model(config().model_copy(update={"modalities": ()}))
    text = collate([[TokenSpan(torch.arange(20, 40), True)]], ())
    found = latent_lm_loss(lm, text, generator())
    assert (found.num_tokens, found.num_latents) == (19, ())
    assert list(found.parts) == list(loss_counts(lm, text)) == [TOKEN_PART]
    logits = lm.token_logits(lm(text))[0, :-1]
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(21, 40))
    torch.testing.assert_close(found.total, expected)


class LargestTensor(TorchDispatchMode):
    """Notes the most elements that the result of any operation has."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return result


@pytest.mark.parametrize("kind", ["text alone", "a latent and nothing to decide"])
def test_each_parameter_has_a_gradient_whatever_a_batch_lacks(kind: str) -> None:
    """FSDP2 sends only gradients that there are, and processes must send the same ones."""
    changes = {"token_head": "separate", "num_neighbours": 2}
    lm = model(config((1.0,)).model_copy(update=changes))
    sequence: list[TokenSpan | LatentSpan] = [TokenSpan(torch.tensor([20, 10]), False)]
    if kind == "text alone":
        sequence = [TokenSpan(torch.arange(20, 30), True)]
    else:
        sequence.append(LatentSpan(0, torch.randn(1, 3), True))
    loss = latent_lm_loss(lm, collate([sequence], lm.config.latent_dims), generator())
    assert (loss.num_tokens, loss.num_latents) == ((9, (0,)) if len(sequence) == 1 else (0, (1,)))
    loss.total.backward()
    assert [name for name, value in lm.named_parameters() if value.grad is None] == []


def gradients(lm: LatentLM, rows: MixedBatch) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
    lm.zero_grad()
    with LargestTensor() as largest:
        total = latent_lm_loss(lm, rows, generator()).total
        total.backward()
    named = {name: p.grad for name, p in lm.named_parameters() if p.grad is not None}
    return total.detach(), named, largest.elements


@pytest.mark.parametrize("token_head", ["tied", "separate"])
def test_chunks_of_logits_give_the_same_gradients_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, token_head: str
) -> None:
    lm = model(config().model_copy(update={"token_head": token_head})).double()
    rows = batch(num_tokens=300)
    rows.latents = tuple(part.double() for part in rows.latents)
    whole, expected, whole_size = gradients(lm, rows)
    decisions = latent_lm_loss(lm, rows, generator()).num_tokens
    assert whole_size == decisions * VOCABULARY
    monkeypatch.setattr(loss_module, "MAX_LOGITS", 100 * VOCABULARY)
    chunked, found, chunked_size = gradients(lm, rows)
    assert chunked_size == 100 * VOCABULARY < whole_size / 6
    torch.testing.assert_close(chunked, whole)
    assert found.keys() == expected.keys()
    for name in expected:  # logits are float32, in which the sums are made
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-7)


def test_chunks_need_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = model(config())
    whole = latent_lm_loss(lm, batch(), generator())
    monkeypatch.setattr(loss_module, "MAX_LOGITS", 7 * VOCABULARY)
    with torch.no_grad():
        chunked = latent_lm_loss(lm, batch(), generator())
    torch.testing.assert_close(chunked.total, whole.total)
