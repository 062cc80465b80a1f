"""What stage 6 drew and where it lies, for the stages that read it."""

from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config, parse_config, read_yaml

DRAWN = "drawn.json"


class Drawing(Config):
    """The samples of one model, drawn.json of their folder."""

    cfg_scales: tuple[float, ...] = Field(min_length=1, description="guidance scales; 1 is off")
    per_class: int = Field(ge=1, description="samples of each class at each scale")
    seed: int = Field(ge=0, description="of the noise")
    class_names: tuple[str, ...] = Field(description="the classes by number")
    model_hash: str = Field(description="of weights and configuration")


def scale_folder(samples: Path, cfg_scale: float) -> Path:
    """The folder of the samples of one scale, which has a folder for each class."""
    return samples / f"cfg_{cfg_scale:g}"


def read_drawing(samples: Path) -> Drawing:
    """Reads drawn.json, which is there once all samples are."""
    return parse_config(Drawing, read_yaml(samples / DRAWN), origin=str(samples / DRAWN))
