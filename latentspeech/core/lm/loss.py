"""The training objective L_LM + sum_k alpha_k L_diff,k (paper section 3.2).

L_LM is the mean over all discrete decisions: the tokens marked as targets, and after every latent
whether another follows. L_diff,k is the mean over the latents of modality k marked as targets, of
the mean over channels and noise draws. Each is a mean over a count of its own, so neither depends
on how the other's elements are distributed.

A model without modalities is a plain language model: its objective is L_LM.

B rows, T elements, N decisions, N_k latents of modality k, d model width, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import TOKEN, MixedBatch

# Logits that exist at one time: 256 MB of float32. A vocabulary of 100,288 takes 669 decisions.
MAX_LOGITS = 2**26


@dataclass(frozen=True)
class LatentLMLoss:
    """The parts of the objective on one batch, and how many elements each is a mean over."""

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
    """One backbone pass, then both heads. `generator` draws diffusion times and noise."""
    hidden = model(batch).flatten(0, 1)  # (B T, d)
    targets = _predicted(batch)
    token_loss, num_tokens = _token_loss(model, batch, hidden, targets)
    losses: list[Tensor] = []
    counts: list[int] = []
    for modality, latents in enumerate(batch.latents):
        here = batch.kinds == 1 + modality
        places = _places(here & targets)  # (N_k,)
        # `latents` lists the elements of `here` in row order; keep those that are targets.
        order = here.flatten().cumsum(0).index_select(0, places) - 1
        x0 = model.normalize(modality, latents.index_select(0, order))
        # What predicts an element is the state before it. The head runs on nothing too: cut over
        # processes, it takes all of them.
        condition = hidden.index_select(0, places - 1)
        per_latent = model.diffusion(modality).loss(x0, condition, generator)
        counts.append(len(places))
        losses.append(per_latent.mean() if len(places) else per_latent.sum())
    weights = tuple(modality.diffusion_weight for modality in model.config.modalities)
    return LatentLMLoss(token_loss, num_tokens, tuple(losses), tuple(counts), weights)


def loss_counts(model: LatentLM, batch: MixedBatch) -> dict[str, Tensor]:
    """Elements that each part of the objective is a mean over, as scalars on the batch's device.

    They follow from the batch, so that a step over several batches knows them ahead.
    """
    targets = _predicted(batch)
    _, choice = decision_ids(model, batch)
    latents = {
        _name(k): ((batch.kinds == 1 + k) & targets).sum() for k in range(len(batch.latents))
    }
    return {TOKEN_PART: (targets & choice).sum(), **latents}


def decision_ids(model: LatentLM, batch: MixedBatch) -> tuple[Tensor, Tensor]:
    """What the softmax head should say at each element, and where it has a choice.

    Returns:
        ids (B, T): the token, or the slot token of the modality where a latent stands.
        open (B, T): False at padding and at what is bound to come: the first latent after BOD, and
        where the number of latents is fixed all of them and the EOD after them.
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
    """Targets (B, T) but for the first element of a row, which nothing predicts."""
    targets = batch.targets.clone()
    targets[:, 0] = False
    return targets


def _places(mask: Tensor) -> Tensor:
    """Where (B, T) is True, in row order (N,): the one wait for the device of each part."""
    return mask.flatten().nonzero().squeeze(1)


def _token_loss(
    model: LatentLM, batch: MixedBatch, hidden: Tensor, targets: Tensor
) -> tuple[Tensor, int]:
    ids, choice = decision_ids(model, batch)
    places = _places(targets & choice)  # (N,)
    states = hidden.index_select(0, places - 1)  # (N, d)
    if not len(places):
        # 0, with a gradient of the head and the backbone.
        return model.token_logits(states).sum() + hidden.sum() * 0, 0
    return _cross_entropy(model, states, ids.flatten().index_select(0, places)), len(places)


def _cross_entropy(model: LatentLM, states: Tensor, wanted: Tensor) -> Tensor:
    """Mean nats of the tokens `wanted` (N,) after the states (N, d).

    Logits of large vocabularies are computed a chunk at a time and again in backward, so that at
    most MAX_LOGITS of them, and as many gradients, exist at once.
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
