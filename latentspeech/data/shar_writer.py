"""Writes cuts in lhotse's Shar format: FLAC of each cut in tar files, resumable shard by shard.

Several processes share the work: shard s belongs to rank s % world_size. The tar file of a shard
appears first and its cuts file after it, each whole or not at all, so a cuts file marks a shard as
complete.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import soundfile
from lhotse import AudioSource, MonoCut, Recording, SupervisionSegment
from lhotse.shar.writers import AudioTarWriter, JsonlShardWriter
from lhotse.supervision import AlignmentItem

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.storage.files import atomic_path
from latentspeech.data.cut_index import CutIndex
from latentspeech.data.utterances import Utterance, iterate_cuts, load_utterance

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


def write_shar(
    cuts_path: Path,
    out_dir: Path,
    shard_size: int = 1000,
    rank: int = 0,
    world_size: int = 1,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> int:
    """Makes the shards of this rank that are missing; returns how many cuts were left out.

    Args:
        cuts_path: cuts file of the corpus; each cut keeps its rate and is written as one channel.
        out_dir: folder of the shards; one with shards of other cuts is refused.
        shard_size: cuts per shard; a process that is killed loses at most one shard.
        rank: number of this process, from 0.
        world_size: number of processes.
        skip_bad: leave out cuts whose audio is missing or truncated, with a warning that names
            them, instead of raising DataError.
        progress: called with (cuts done, cuts of this rank).
    """
    if not 0 <= rank < world_size or shard_size < 1:
        raise ConfigError(
            f"rank is {rank} of {world_size} processes and shard_size {shard_size}; expected a "
            "rank from 0 to below world_size and at least one cut a shard"
        )
    corpus = CutIndex(cuts_path)
    out_dir.mkdir(parents=True, exist_ok=True)
    own = range(rank, -(-len(corpus) // shard_size), world_size)
    parts = {shard: range(len(corpus))[shard * shard_size :][:shard_size] for shard in own}
    total, done, left_out = sum(map(len, parts.values())), 0, 0
    for shard, part in parts.items():
        utterances = [corpus[index] for index in part]
        kept = _kept_before(out_dir, shard, utterances)
        if kept is None:
            kept = _write_shard(out_dir, shard, utterances, skip_bad)
        left_out += len(utterances) - kept
        done += len(utterances)
        if progress is not None:
            progress(done, total)
    if left_out:
        logger.warning("%s: %d of %d cuts were left out", out_dir, left_out, total)
    return left_out


def shar_paths(out_dir: Path, shard: int) -> tuple[Path, Path]:
    """The cuts and the audio of a shard."""
    return out_dir / f"cuts.{shard:06d}.jsonl.gz", out_dir / f"recording.{shard:06d}.tar"


def _kept_before(out_dir: Path, shard: int, utterances: list[Utterance]) -> int | None:
    """The number of cuts in a shard that is complete; None if it is not."""
    cuts, audio = shar_paths(out_dir, shard)
    if not cuts.exists() or not audio.exists():
        return None
    found = {utterance.id for utterance in iterate_cuts(cuts, "shar")}
    strange = found - {utterance.id for utterance in utterances}
    if strange:
        raise DataError(
            f"{cuts} holds cut {min(strange)}, which is not one of this shard's; expected the "
            "cuts and shard_size that it was begun with: remove the folder or give another one"
        )
    return len(found)


def _write_shard(out_dir: Path, shard: int, utterances: list[Utterance], skip_bad: bool) -> int:
    cuts_path, audio_path = shar_paths(out_dir, shard)
    kept = 0
    with (
        atomic_path(cuts_path) as cuts_file,
        atomic_path(audio_path) as audio_file,
        JsonlShardWriter(str(cuts_file), shard_size=None) as cuts,
        AudioTarWriter(str(audio_file), shard_size=None, format="flac") as audio,
    ):
        for utterance in utterances:
            try:
                cut = _write_audio(audio, utterance)
            except DataError as error:
                if not skip_bad:
                    raise
                logger.warning("left out: %s", error)
                continue
            cuts.write(cut)
            kept += 1
        if not kept:
            raise DataError(
                f"none of the {len(utterances)} cuts of shard {shard} can be read (first "
                f"{utterances[0].path}); check where the audio lies"
            )
    return kept


def _write_audio(audio: AudioTarWriter, utterance: Utterance) -> MonoCut:
    """Adds the audio of a cut and returns the cut to write for it."""
    try:
        rate = soundfile.info(utterance.path).samplerate
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(
            f"cut {utterance.id}: {utterance.path} cannot be read ({error}); expected an audio "
            "file: make it again, leave the cut out, or set skip_bad"
        ) from None
    samples = load_utterance(utterance, rate).numpy()  # (T,)
    duration_s = len(samples) / rate
    source = AudioSource(type="shar", channels=[0], source="")
    recording = Recording(utterance.id, [source], rate, len(samples), duration_s)
    audio.write(utterance.id, samples[None], rate, recording)
    words = [
        AlignmentItem(str(number), start, end - start)
        for number, (start, end) in enumerate(
            zip((0.0, *utterance.symbol_ends_s), utterance.symbol_ends_s, strict=False)
        )
    ]
    spoken = SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.id,
        start=0.0,
        duration=duration_s,
        text=utterance.text,
        speaker=utterance.speaker,
        alignment={"word": words} if words else None,
    )
    return MonoCut(utterance.id, 0.0, duration_s, 0, supervisions=[spoken], recording=recording)
