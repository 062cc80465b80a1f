"""The training objective L_LM + alpha L_diff (paper section 3.2), each a mean over its own count.

L_LM is the mean over all discrete decisions: the tokens marked as targets, and after every latent
whether another follows. L_diff is the mean over the latents marked as targets, of the mean over
channels and noise draws. Neither depends on how the other's elements are distributed.

B rows, T elements, d model width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_sequence import TOKEN, MixedBatch


@dataclass(frozen=True)
class LatentLMLoss:
    """The objective and its parts."""

    total: Tensor  # scalar, to be minimised
    token: Tensor  # L_LM, nats a decision
    num_tokens: int
    diffusion: tuple[Tensor, ...]  # L_diff of each modality
    num_latents: tuple[int, ...]


def latent_lm_loss(model: LatentLM, batch: MixedBatch, generator: torch.Generator) -> LatentLMLoss:
    """One backbone pass, then both heads. `generator` draws diffusion times and noise."""
    hidden = model(batch)  # (B, T, d)
    conditions = hidden[:, :-1]  # what predicts elements 1 .. T - 1
    targets = batch.targets.clone()
    targets[:, 0] = False
    token_loss, num_tokens = _token_loss(model, batch, conditions, targets[:, 1:])
    losses: list[Tensor] = []
    counts: list[int] = []
    for modality, latents in enumerate(batch.latents):
        here = batch.kinds == 1 + modality
        wanted = here & targets
        # `latents` lists the elements of `here` in row order; keep those that are wanted.
        x0 = model.normalize(modality, latents)[targets[here]]
        condition = conditions[wanted[:, 1:]]
        counts.append(len(x0))
        # The head runs on nothing too: cut over processes, it takes all of them.
        per_latent = model.diffusion(modality).loss(x0, condition, generator)
        losses.append(per_latent.mean() if len(x0) else per_latent.sum())
    total = token_loss + model.config.diffusion_weight * sum(losses, start=token_loss * 0)
    return LatentLMLoss(total, token_loss, num_tokens, tuple(losses), tuple(counts))


def decision_ids(model: LatentLM, batch: MixedBatch) -> tuple[Tensor, Tensor]:
    """What the softmax head should say at each element, and where it has a choice.

    Returns:
        ids (B, T): the token, or the slot token of the modality where a latent stands.
        open (B, T): False at padding, at the first latent after BOD (which is bound to come), and
        at latents of modalities that do not learn their end.
    """
    ids = batch.token_ids.clone()
    choice = batch.kinds >= TOKEN
    previous = torch.roll(batch.token_ids, 1, dims=1)
    previous_is_token = torch.roll(batch.kinds, 1, dims=1) == TOKEN
    for modality, config in enumerate(model.config.modalities):
        here = batch.kinds == 1 + modality
        ids = ids.masked_fill(here, config.slot_id)
        forced = here & previous_is_token & (previous == config.bod_id)
        choice = choice & ~(forced if config.num_latents is None else here)
    return ids, choice


def _token_loss(
    model: LatentLM, batch: MixedBatch, conditions: Tensor, targets: Tensor
) -> tuple[Tensor, int]:
    ids, choice = decision_ids(model, batch)
    wanted = targets & choice[:, 1:]
    count = int(wanted.sum())
    if not count:
        return conditions.sum() * 0, 0
    logits = model.token_logits(conditions[wanted])  # (N, V)
    return functional.cross_entropy(logits.float(), ids[:, 1:][wanted]), count
