"""The training objective L_LM + sum_k alpha_k L_diff,k (paper section 3.2).

L_LM is the mean over all discrete decisions: the tokens marked as targets, and after every latent
whether another follows. L_diff,k is the mean over the latents of modality k marked as targets, each
a mean over channels and noise draws. Each loss is a mean over its own elements, so none depends on
how the elements of another are distributed.

A model without modalities is a plain language model: its objective is L_LM.

B rows, T elements, N decisions, N_k latents of modality k, d model width, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_batch import MixedBatch
from latentspeech.core.lm.mixed_sequence import TOKEN

# Logits in memory at one time: 256 MB of float32, or 669 decisions of a vocabulary of 100,288.
MAX_LOGITS = 2**26


@dataclass(frozen=True)
class LatentLMLoss:
    """The parts of the objective on one batch, and the number of elements each is a mean over."""

    token: Tensor  # L_LM, nats a decision
    num_tokens: int
    diffusion: tuple[Tensor, ...]  # L_diff of each modality
    num_latents: tuple[int, ...]
    weights: tuple[float, ...]  # alpha of each modality

    @property
    def parts(self) -> dict[str, Tensor]:
        """The summands of the objective, alpha included, by the names that `loss_counts` uses."""
        pairs = zip(self.weights, self.diffusion, strict=True)
        weighted = {_name(k): alpha * loss for k, (alpha, loss) in enumerate(pairs)}
        return {TOKEN_PART: self.token, **weighted}

    @property
    def total(self) -> Tensor:
        """The objective on this batch alone, a scalar."""
        return torch.stack(tuple(self.parts.values())).sum()


TOKEN_PART = "token"


def _name(modality: int) -> str:
    return f"diffusion_{modality}"


def latent_lm_loss(model: LatentLM, batch: MixedBatch, generator: torch.Generator) -> LatentLMLoss:
    """Runs the backbone once, then all heads. `generator` draws diffusion times and noise."""
    hidden = model(batch).flatten(0, 1)  # (B T, d)
    targets = _predicted(batch)
    of_tokens, num_tokens = token_loss(model, batch, hidden, targets)
    losses: list[Tensor] = []
    counts: list[int] = []
    for modality, latents in enumerate(batch.latents):
        here = batch.kinds == 1 + modality
        places = _places(here & targets)  # (N_k,)
        # `latents` lists the elements of `here` in row order; keep those that are targets.
        order = here.flatten().cumsum(0).index_select(0, places) - 1
        x0 = model.normalize(modality, latents.index_select(0, order))
        # The state before an element predicts it. The head runs even without latents, because a
        # sharded head needs all processes.
        condition = hidden.index_select(0, places - 1)
        per_latent = model.diffusion(modality).loss(x0, condition, generator)
        counts.append(len(places))
        losses.append(per_latent.mean() if len(places) else per_latent.sum())
    weights = tuple(modality.diffusion_weight for modality in model.config.modalities)
    return LatentLMLoss(of_tokens, num_tokens, tuple(losses), tuple(counts), weights)


def loss_counts(model: LatentLM, batch: MixedBatch) -> dict[str, Tensor]:
    """The number of elements of each part of the objective, as scalars on the batch's device.

    They depend only on the batch, so a step over several batches knows them before any loss.
    """
    targets = _predicted(batch)
    _, choice = decision_ids(model, batch)
    latents = {
        _name(k): ((batch.kinds == 1 + k) & targets).sum() for k in range(len(batch.latents))
    }
    return {TOKEN_PART: (targets & choice).sum(), **latents}


def decision_ids(model: LatentLM, batch: MixedBatch) -> tuple[Tensor, Tensor]:
    """The target of the softmax head at each element, and where it has a choice.

    Returns:
        ids (B, T): the token, or for a latent the slot token of its modality.
        choice (B, T): False at padding and at elements that must come: the first latent after BOD,
        and if the number of latents is fixed, all latents and the EOD after them.
    """
    ids = batch.token_ids.clone()
    choice = batch.kinds >= TOKEN
    previous = torch.roll(batch.token_ids, 1, dims=1)
    previous_kinds = torch.roll(batch.kinds, 1, dims=1)
    for modality, config in enumerate(model.config.modalities):
        here = batch.kinds == 1 + modality
        ids = ids.masked_fill(here, config.slot_id)
        if config.num_latents is None:
            bound = here & (previous_kinds == TOKEN) & (previous == config.bod_id)
        else:
            bound = here | (previous_kinds == 1 + modality)
        choice = choice & ~bound
    return ids, choice


def _predicted(batch: MixedBatch) -> Tensor:
    """Targets (B, T), except for the first element of a row, which no state predicts."""
    targets = batch.targets.clone()
    targets[:, 0] = False
    return targets


def _places(mask: Tensor) -> Tensor:
    """The places where (B, T) is True, in row order (N,); each part waits for the device here."""
    return mask.flatten().nonzero().squeeze(1)


def token_loss(
    model: LatentLM, batch: MixedBatch, hidden: Tensor, targets: Tensor
) -> tuple[Tensor, int]:
    """L_LM of hidden states (B T, d) at the targets (B, T), and the number of decisions."""
    ids, choice = decision_ids(model, batch)
    places = _places(targets & choice)  # (N,)
    states = hidden.index_select(0, places - 1)  # (N, d)
    if not len(places):
        # 0, with a gradient of the head and the backbone.
        return model.token_logits(states).sum() + hidden.sum() * 0, 0
    return _cross_entropy(model, states, ids.flatten().index_select(0, places)), len(places)


def _cross_entropy(model: LatentLM, states: Tensor, wanted: Tensor) -> Tensor:
    """Mean nats of the tokens `wanted` (N,) after the states (N, d).

    Logits of large vocabularies are computed in chunks, and again in backward, so that at most
    MAX_LOGITS of them, and as many gradients, are in memory at once.
    """
    rows = max(1, MAX_LOGITS // model.config.vocab_size)
    if len(wanted) <= rows:
        return functional.cross_entropy(model.token_logits(states).float(), wanted)

    def nats(states: Tensor, wanted: Tensor) -> Tensor:
        logits = model.token_logits(states).float()  # (rows, V)
        return functional.cross_entropy(logits, wanted, reduction="sum")

    chunks = zip(torch.split(states, rows), torch.split(wanted, rows), strict=True)
    # Nothing random happens inside, so no state of a generator needs to be kept.
    sums = [checkpoint(nats, *c, use_reentrant=False, preserve_rng_state=False) for c in chunks]
    return torch.stack(sums).sum() / len(wanted)
