"""What stage 6 drew and where it lies, for the stages that read it."""

from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config, parse_config, read_yaml

DRAWN = "drawn.json"


class Drawing(Config):
    """The samples of one model, drawn.json of their folder."""

    cfg_scales: tuple[float, ...] = Field(min_length=1, description="guidance scales; 1 is off")
    captions: tuple[str, ...] = Field(min_length=1, description="what was drawn, by number")
    seed: int = Field(ge=0, description="of the noise")
    model_hash: str = Field(description="of the weights")


def scale_folder(samples: Path, cfg_scale: float) -> Path:
    """The folder of the samples of one scale."""
    return samples / f"cfg_{cfg_scale:g}"


def sample_path(samples: Path, cfg_scale: float, number: int) -> Path:
    """The file of a sample."""
    return scale_folder(samples, cfg_scale) / f"{number:05d}.png"


def read_drawing(samples: Path) -> Drawing:
    """Reads drawn.json, which is there once all samples are."""
    return parse_config(Drawing, read_yaml(samples / DRAWN), origin=str(samples / DRAWN))
