"""Codec runs of the recipe at a size that trains in seconds, on two made-up voices."""

from pathlib import Path

from latentspeech.audio.io import write_audio
from latentspeech.core.config import load_config
from latentspeech.training.codec_run import CodecRunConfig
from tests.tiny_codec import CODEC, make_codec_directory
from tests.tiny_models import voice_like

CONF = Path(__file__).parents[1] / "egs/mini/conf"


def cuts_of_two_voices(folder: Path) -> Path:
    from lhotse import CutSet, Recording

    cuts = []
    for name in ("a", "b"):
        write_audio(folder / f"{name}.wav", voice_like(1.0), 24_000)
        cuts.append(Recording.from_file(folder / f"{name}.wav", recording_id=name).to_cut())
    CutSet.from_cuts(cuts).to_file(folder / "cuts.jsonl.gz")
    return folder / "cuts.jsonl.gz"


def at_debug_size(name: str, folder: Path) -> CodecRunConfig:
    """The run of a file in egs/mini/conf, its losses, turns and optimizers kept, all else small."""
    values = load_config(CodecRunConfig, CONF / name).model_dump()
    values["exp_dir"] = folder / "exp"
    values["codec"] |= {key: getattr(CODEC, key) for key in ("latent_dim", "encoder", "decoder")}
    values["loss"]["discriminators_alone_steps"] = min(
        1, values["loss"]["discriminators_alone_steps"]
    )
    values["discriminators"]["multi_period"]["channels"] = (4, 8)
    for kind in ("complex_stft", "magnitude_stft"):
        values["discriminators"][kind]["channels"] = 2
    values["start_from"] = {"codec": make_codec_directory(folder)}
    cuts = str(cuts_of_two_voices(folder))
    values["data"] |= {"train_cuts": cuts, "valid_cuts": cuts, "batch_size": 2, "segment_s": 0.5}
    values["train"] |= {"max_steps": 3, "log_every": 1, "num_threads": 1}
    return CodecRunConfig.model_validate(values)
