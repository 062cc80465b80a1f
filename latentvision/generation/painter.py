"""Draws pictures of classes: a generator and its tokenizer, by one call.

    painter = Painter.from_directory(path)
    painter.sample("sneaker", num=4, seed=1).save("sneakers.png")

B images, H height, W width.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.nn.packed_linear import can_pack, pack_linears
from latentspeech.core.tensors import make_generator
from latentspeech.core.version import VERSION
from latentvision.data.labels import class_number
from latentvision.generation.generator import Advance, ImageSampling
from latentvision.generation.model_directory import LoadedGenerator, load_generator
from latentvision.images.transforms import make_grid
from latentvision.images.writing import write_png

BATCH_SIZE = 16  # images drawn together


@dataclass(frozen=True)
class Pictures:
    """Pictures that were drawn, and what they were drawn from."""

    pixels: Tensor  # (B, 3, H, W), about [-1, 1]
    provenance: Mapping[str, str]  # text chunks of the file

    def __len__(self) -> int:
        return len(self.pixels)

    def save(self, path: str | Path, num_columns: int | None = None) -> None:
        """Writes all as one PNG, in a grid that is about square unless `num_columns` is given."""
        columns = num_columns or math.ceil(math.sqrt(len(self)))
        write_png(Path(path), make_grid(self.pixels, columns), self.provenance)


class Painter:
    """A generator with its tokenizer."""

    def __init__(self, model: LoadedGenerator, name: str = "") -> None:
        """Args: `name` stands in the files that are written."""
        self.model = model
        self.name = name

    @classmethod
    def from_directory(cls, directory: Path, device: torch.device | str = "cpu") -> Self:
        """Loads a model directory; on a CPU that has the kernels its matrices are packed."""
        model = load_generator(directory, device)
        if torch.device(device).type == "cpu" and can_pack():
            pack_linears(model.generator)
        return cls(model, directory.resolve().name)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that it can draw, by number."""
        return self.model.config.class_names

    def sampling(self, **changes: Any) -> ImageSampling:
        """The model's own settings with changes; None leaves a setting as it is.

        Raises:
            ConfigError: a setting is unknown or out of range.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        own = self.model.config.sampling.model_dump()
        return parse_config(ImageSampling, own | given, "options")

    def class_of(self, label: str | int | None) -> tuple[int, str | None]:
        """Number and name of a class; without one the null class and None.

        Raises:
            InputError: there is no such class.
        """
        if label is None:
            return self.model.config.space.null_class, None
        number = class_number(label, self.class_names)
        return number, self.class_names[number]

    def provenance(self, class_name: str | None, seed: int, **changes: Any) -> dict[str, str]:
        """The text chunks of a file of pictures of this class, seed and settings."""
        return {
            "Software": f"latentvision {VERSION}",
            "Comment": f"drawn by model {self.name}: class {class_name or 'any'}, seed {seed}, "
            f"{_described(self.sampling(**changes))}",
        }

    @torch.inference_mode()
    def sample(
        self,
        label: str | int | None,
        num: int = 1,
        seed: int = 0,
        advance: Advance = lambda done, of_all: None,
        first: int = 0,
        **changes: Any,
    ) -> Pictures:
        """Draws pictures of a class.

        Args:
            label: name or number of the class; None draws without one.
            num: how many; picture i depends on the seed and on i alone.
            seed: the same seed gives the same pictures.
            advance: is told how much of the work is done.
            first: number i of the first picture.
            changes: settings of `ImageSampling` that differ from the model's, such as cfg_scale.

        Raises:
            InputError: there is no such class.
            ConfigError: a setting is out of range, or has no effect on this model.
        """
        if num < 1:
            raise ConfigError(f"num is {num}; expected at least 1 picture")
        sampling = self.sampling(**changes)
        number, name = self.class_of(label)
        generators = [make_generator(seed, "picture", first + index) for index in range(num)]
        batches = [range(num)[start : start + BATCH_SIZE] for start in range(0, num, BATCH_SIZE)]
        parts = []
        for place, batch in enumerate(batches):

            def tell(done: int, of_all: int, place: int = place) -> None:
                advance(place * of_all + done, len(batches) * of_all)

            latents = self.model.generator.sample(
                torch.full((len(batch),), number),
                [generators[index] for index in batch],
                sampling,
                tell,
            )
            parts.append(self.decode(latents).cpu())
        return Pictures(torch.cat(parts), self.provenance(name, seed, **changes))

    def decode(self, latents: Tensor) -> Tensor:
        """The generator's latents (B, N, D), or codes (B, N, 1), -> images (B, 3, H, W)."""
        tokenizer = self.model.tokenizer
        if self.model.config.space.num_codes is None:
            return tokenizer.decode(latents.float())
        return tokenizer.decode_codes(latents[..., 0].long())


def _described(sampling: ImageSampling) -> str:
    values = sampling.model_dump(mode="json")
    return ", ".join(f"{name} {value}" for name, value in values.items())
