"""CLIP score: how well a picture fits its text, by a CLIP model (Hessel et al. 2021, 2104.08718).

    score = max(100 cos(image embedding, text embedding), 0)

This is the number that papers print (29.33 in the paper's Table 3), and not the 2.5 max(cos, 0) of
Hessel et al. It depends on the CLIP model, which the paper does not name, so a report says which
one it was. No model ships: its directory is given, in the format of the library transformers.

n pictures.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from latentspeech.core.errors import CheckpointError
from latentspeech.core.eval.report import ItemResult, MetricResult
from latentspeech.core.eval.scorer import MetricUnavailable, package_version, require_packages
from latentspeech.core.eval.statistics import NUM_RESAMPLES
from latentspeech.core.eval.summary import summarise
from latentspeech.core.eval.weight_files import file_sha256
from latentvision.mllm.scores.ratio_scorer import RatioScorer

NAME = "CLIP score"
KEY = "clip-score"
_WEIGHTS = "model.safetensors"
_AT_ONCE = 32


class ClipModel:
    """A CLIP model with the preparation of its pictures and texts."""

    def __init__(self, directory: Path | None, device: torch.device | str = "cpu") -> None:
        """Loads a model.

        Raises:
            MetricUnavailable: no directory is given, or the package is missing.
            CheckpointError: the directory holds no such model.
        """
        if directory is None:
            raise MetricUnavailable(
                "no CLIP model is given, and none ships; run: hf download "
                "openai/clip-vit-large-patch14 --local-dir DIR, and give --clip DIR"
            )
        require_packages(NAME, {"transformers": "transformers"})
        from transformers import CLIPModel, CLIPProcessor

        if not (directory / _WEIGHTS).is_file():
            raise CheckpointError(
                f"{directory} has no {_WEIGHTS}; expected the directory of a CLIP model in the "
                "format of transformers: save one there with save_pretrained, or download it"
            )
        try:
            self._network = CLIPModel.from_pretrained(directory, local_files_only=True)
            self._processor = CLIPProcessor.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{directory} holds no CLIP model ({error}); expected one in the format of "
                "transformers, with its processor: download it again"
            ) from None
        self._network = self._network.eval().to(device)
        self.description = {
            "model": directory.name,
            "checkpoint": f"{_WEIGHTS}, sha256 {file_sha256(directory / _WEIGHTS)[:16]}...",
            "formula": "max(100 cos, 0)",
            "package": package_version("transformers"),
        }

    @torch.inference_mode()
    def scores(self, pictures: Sequence[Image.Image], texts: Sequence[str]) -> list[float]:
        """The score of each picture with its text, n of them; long texts lose their end."""
        found: list[float] = []
        most = self._network.config.text_config.max_position_embeddings
        for start in range(0, len(pictures), _AT_ONCE):
            inputs = self._processor(
                text=list(texts[start : start + _AT_ONCE]),
                images=[one.convert("RGB") for one in pictures[start : start + _AT_ONCE]],
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=most,
            ).to(self._network.device)
            embedded = self._network(**inputs)  # both of length 1
            cosines = (embedded.image_embeds * embedded.text_embeds).sum(dim=1)
            found += (100 * cosines).clamp(min=0).tolist()
        return found


def clip_score(
    model: ClipModel | str,
    pictures: Sequence[Image.Image],
    texts: Sequence[str],
    seed: int = 0,
) -> MetricResult:
    """The mean score with its interval; with the reason of a hole in the model's place, a hole."""
    hole = model if isinstance(model, str) else None
    about = {} if isinstance(model, str) else model.description
    scorer = RatioScorer(KEY, NAME, "", "the text", about, higher_is_better=True)
    items: list[ItemResult] = []
    if not isinstance(model, str):
        for number, (text, value) in enumerate(
            zip(texts, model.scores(pictures, texts), strict=True)
        ):
            item = ItemResult(f"{number:05d}", "", text=text)
            item.scores[NAME] = scorer.score(value)
            items.append(item)
    return summarise(
        scorer,
        items,
        {},
        key=KEY,
        description=about,
        hole=hole,
        seed=seed,
        num_resamples=NUM_RESAMPLES,
    )
