"""The mean and std of a folder of latent shards, which a language model normalises latents by.

They are those of z = mu + |sigma| eps, on which it trains: per channel, over the latents of all
items,

    mean(z) = mean(mu),  var(z) = var(mu) + E[sigma^2],  E[sigma^2] = sigma_std^2

for both kinds of posterior. The variance of the noise is the expected one instead of that of
samples, so the numbers need no seed.
"""

import logging
from pathlib import Path

import torch
from safetensors.torch import save_file

from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.latents.normalizer import RunningMoments
from latentspeech.core.storage.files import atomic_path, remove_leftovers

logger = logging.getLogger(__name__)


def write_statistics(directory: Path) -> None:
    """Writes stats.safetensors once all shards are there; DataError names one that is not.

    No other process may be writing shards into the folder.
    """
    shards = LatentShards(directory)
    remove_leftovers(directory)
    moments = RunningMoments.empty(shards.meta.latent_dim)
    left_out = 0
    for index in range(shards.meta.num_items):
        if shards.item(index).num_latents:
            moments.update(shards.load(index))
        else:
            left_out += 1
    moments.squares = moments.squares + moments.count * shards.meta.sigma_std**2
    normalizer = moments.to_normalizer()
    stats = {
        "mean": normalizer.mean,
        "std": normalizer.std,
        "count": torch.tensor(moments.count),
    }
    with atomic_path(directory / "stats.safetensors") as temporary:
        save_file(stats, temporary)
    logger.info(
        "statistics of %d latents of %d items; %d items have none",
        moments.count,
        shards.meta.num_items - left_out,
        left_out,
    )
