"""Turns cuts into latent shards: the codec's means of every utterance, resumable shard by shard.

Several processes share the work: shard s belongs to rank s % world_size. When all are done,
`write_statistics` (core/data/latent_statistics.py) adds what a language model normalises by.

T samples, F frames, D latent dimension.
"""

import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import codec_hash, load_codec_module
from latentspeech.core.data.bucketing import plan_batches
from latentspeech.core.data.latent_format import LatentItem, LatentMeta
from latentspeech.core.data.latent_shards import LatentShardWriter
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.data.cut_index import CutIndex
from latentspeech.data.shar import SharCorpus, is_shar
from latentspeech.data.speech_latents import rates_of, speech_item
from latentspeech.data.utterances import Utterance

logger = logging.getLogger(__name__)

# Sorted classes of about this many utterances keep the padding of a batch small.
_BUCKET_UTTERANCES = 16
# If this many cuts in a row cannot be read, the disk is gone, not the files.
_DISK_IS_GONE_CUTS = 50

Progress = Callable[[int, int], None]


def extract_latents(
    codec_dir: Path,
    cuts: str | Path,
    out_dir: Path,
    shard_size: int = 1000,
    rank: int = 0,
    world_size: int = 1,
    progress: Progress | None = None,
    *,
    device: torch.device | str = "cpu",
    max_batch_s: float = 30.0,
    skip_bad: bool = False,
    remake_command: str | None = None,
) -> None:
    """Makes the shards of this rank that are missing or damaged.

    A single process writes the statistics as well.

    Args:
        codec_dir: model directory of the codec.
        cuts: a cuts file, or a folder or URL in Shar format; utterances with speaker and text.
        out_dir: folder of the shards; one of other cuts or of another codec is refused.
        shard_size: utterances per shard; a process that is killed loses at most one shard.
        rank: number of this process, from 0.
        world_size: number of processes; after several, call `write_statistics` once.
        progress: called with (utterances done, utterances of this rank).
        device: where the codec runs.
        max_batch_s: padded audio encoded at once, seconds; longer utterances go alone.
        skip_bad: give utterances whose audio is missing or truncated no latents and name them in a
            warning, instead of raising DataError.
        remake_command: the command that errors about a damaged shard suggest; a Python one-liner
            if not given.
    """
    if not 0 <= rank < world_size:
        raise ConfigError(
            f"rank is {rank} of {world_size} processes; expected 0 to {world_size - 1}"
        )
    codec = load_codec_module(codec_dir).to(device)
    corpus = _Corpus(cuts, skip_bad)
    meta = LatentMeta(
        vae_hash=codec_hash(codec_dir),
        source_hash=corpus.cuts_hash,
        latent_dim=codec.config.latent_dim,
        posterior_kind=codec.config.posterior.kind,
        sigma_std=codec.config.posterior.sigma_std,
        shard_size=shard_size,
        num_items=len(corpus.indices),
        remake_command=remake_command or _one_liner(codec_dir, cuts, out_dir, shard_size),
        modality=rates_of(codec.config),
    )
    writer = LatentShardWriter(out_dir, meta)
    own_shards = range(rank, meta.num_shards, world_size)
    total, done = sum(map(meta.shard_length, own_shards)), 0
    for shard in own_shards:
        first = shard * shard_size
        part = {i: corpus.source[i] for i in corpus.indices[first : first + shard_size]}
        if not writer.is_complete(shard):
            latents: dict[str, Tensor] = {}
            tried = 0
            for batch in _batches(part, codec.config.sample_rate, max_batch_s):
                rows = {part[index].id: corpus.load(index, codec) for index in batch}
                latents |= _encode(codec, {id_: row for id_, row in rows.items() if len(row)})
                tried += len(batch)
                if progress is not None:
                    progress(done + tried, total)
            if not latents and len(part) >= _DISK_IS_GONE_CUTS:
                raise DataError(
                    f"none of the {len(part)} cuts of shard {shard} has readable audio (first: "
                    f"{next(iter(part.values())).id}); see that the disk with the audio is there, "
                    "then run the same command again"
                )
            writer.write(shard, [_item(one, latents.get(one.id)) for one in part.values()], latents)
        done += len(part)
        if progress is not None:
            progress(done, total)
    if world_size == 1 and not (out_dir / "stats.safetensors").exists():
        write_statistics(out_dir)


class _Corpus:
    """The cuts of a cuts file or of a corpus in Shar format."""

    def __init__(self, cuts: str | Path, skip_bad: bool) -> None:
        self._skip_bad = skip_bad
        self.source: CutIndex | SharCorpus
        self.indices: Sequence[int]
        if is_shar(cuts):
            self.source = SharCorpus(cuts, skip_bad=skip_bad)
            found = self.source.survey()
            self.indices, self.cuts_hash = found.indices, found.cuts_hash
            without = {"speaker": found.without_speaker, "text": found.without_text}
        else:
            self.source = CutIndex(Path(cuts))
            self.indices, self.cuts_hash = range(len(self.source)), self.source.cuts_hash
            meta = self.source.meta
            without = {"speaker": meta.without_speaker, "text": meta.without_text}
        for name, first in without.items():
            if first:
                raise DataError(
                    f"{cuts}: cut {first} has no {name}; expected both speaker and text for "
                    "training speech: add them or leave the cut out"
                )

    def load(self, index: int, codec: Codec) -> Tensor:
        """Samples (T,); none where they cannot be read and `skip_bad` is set."""
        try:
            return self.source.load(index, codec.config.sample_rate)
        except DataError as error:
            if not self._skip_bad:
                raise
            logger.warning("no latents: %s", error)
            return torch.zeros(0)


def _batches(
    part: Mapping[int, Utterance], sample_rate: int, max_batch_s: float
) -> list[list[int]]:
    """The indices of `part` in batches of similar length."""
    indices = list(part)
    lengths = [max(1, utterance.num_samples(sample_rate)) for utterance in part.values()]
    plan = plan_batches(
        lengths,
        max_total_latents=max(round(max_batch_s * sample_rate), *lengths),
        max_batch_size=len(part),
        seed=0,
        epoch=0,
        num_buckets=-(-len(part) // _BUCKET_UTTERANCES),
    )
    return [[indices[place] for place in batch] for batch in plan]


@torch.inference_mode()
def _encode(codec: Codec, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cut id -> means (F, D). The encoder is causal, so zeros after a row's end do not reach it."""
    if not rows:
        return {}
    audio = torch.nn.utils.rnn.pad_sequence([*rows.values()], batch_first=True)  # (B, T)
    mu = codec.encode(audio.to(codec.device)).cpu()  # (B, F, D)
    hop_length = codec.config.hop_length
    return {
        name: mu[row, : -(-len(samples) // hop_length)].clone()
        for row, (name, samples) in enumerate(rows.items())
    }


def _item(utterance: Utterance, mu: Tensor | None) -> LatentItem:
    return speech_item(
        utterance.id,
        utterance.speaker,
        utterance.text,
        0 if mu is None else len(mu),
        utterance.duration_s,
        utterance.symbol_ends_s,
    )


def _one_liner(codec_dir: Path, cuts: str | Path, out_dir: Path, shard_size: int) -> str:
    arguments = f"Path({str(codec_dir)!r}), {str(cuts)!r}, Path({str(out_dir)!r})"
    code = (
        "from pathlib import Path; from latentspeech.data.extract_latents import extract_latents; "
        f"extract_latents({arguments}, {shard_size})"
    )
    return f"python -c {shlex.quote(code)}"
