"""The samples of an evaluation: read once, for their features and for the scores of each.

A sample that cannot be read is a failure; the others are scored. N samples, F features, C classes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.errors import DataError, InputError
from latentspeech.core.eval.report import Failure, ItemResult
from latentspeech.core.eval.scorer import Score
from latentvision.eval.features import FeatureKind
from latentvision.eval.picture_set import PictureSet
from latentvision.eval.sets.measure import FeatureSet
from latentvision.eval.sets.seen import SeenFeatures
from latentvision.eval.tools import Tools


class SampleScores:
    """The features, items and failures of one set of samples."""

    def __init__(
        self,
        samples: PictureSet,
        reference: PictureSet | None,
        tools: Tools,
        device: torch.device,
    ) -> None:
        self.samples, self.reference = samples, reference
        self._tools, self._device = tools, device
        self.items: list[ItemResult] = []
        self.failures: list[Failure] = []
        self.made: dict[FeatureKind, FeatureSet] = {}
        self.num_readable = 0

    def look(self, tell: Callable[[int], None]) -> None:
        """Reads all samples: their features and scores; tells the number that is done."""
        unreadable: dict[int, str] = {}
        originals = self._originals()
        seen = SeenFeatures(self._tools.networks, self._device)
        for batch in self.samples.batches(unreadable):
            seen.add(batch.images)
            for index, image in zip(batch.indices, batch.images, strict=True):
                self._add_item(index, image, originals)
            tell(len(self.items) + len(unreadable))
        if not self.items:
            reason = next(iter(unreadable.values()), "there are none")
            raise InputError(f"no picture of {self.samples} can be scored: {reason}")
        self.made = seen.sets(str(self.samples))
        self._score_classes()
        self.num_readable = len(self.items)
        for index, reason in unreadable.items():
            self.failures.append(Failure(self.samples.record(index).id, "all", reason))
            self.items.append(self._item(index, {}))

    def _originals(self) -> dict[str, int]:
        """The places of the originals in the reference, by name; empty if nothing needs them."""
        if not self._tools.pairs or self.reference is None:
            return {}
        return {self.reference.record(index).id: index for index in self.reference.indices}

    def _item(self, index: int, originals: Mapping[str, int]) -> ItemResult:
        record = self.samples.record(index)
        return ItemResult(
            record.id,
            hypothesis=record.id,
            reference=record.id if record.id in originals else None,
            group=self.samples.class_of(record),
        )

    def _add_item(self, index: int, image: Tensor, originals: Mapping[str, int]) -> None:
        item = self._item(index, originals)
        self.items.append(item)
        if not self._tools.pairs or self.reference is None:
            return
        try:
            if item.id not in originals:
                raise InputError(
                    f"{self.reference} has no picture {item.id}; expected one of that name"
                )
            real = self.reference.image(originals[item.id])
        except (InputError, DataError) as error:
            for scorer in self._tools.pairs.values():
                self.failures.append(Failure(item.id, scorer.name, str(error)))
            return
        for scorer in self._tools.pairs.values():
            try:
                item.scores[scorer.name] = scorer.score(real, image)
            except InputError as error:
                self.failures.append(Failure(item.id, scorer.name, str(error)))

    def _score_classes(self) -> None:
        """Adds the scores by the classifier."""
        if not self._tools.classes:
            return
        features = self.made["classifier"].features.to(self._device)  # (N, F)
        logits = self._tools.networks["classifier"].classify(features)  # (N, C)
        odds, named = logits.softmax(dim=1).max(dim=1)
        found = zip(self.items, named.tolist(), odds.tolist(), strict=True)
        for item, number, probability in found:
            for scorer in self._tools.classes.values():
                try:
                    item.scores[scorer.name] = _class_score(scorer, item, number, probability)
                except InputError as error:
                    self.failures.append(Failure(item.id, scorer.name, str(error)))


def _class_score(scorer: Any, item: ItemResult, number: int, probability: float) -> Score:
    if item.group is None:
        raise InputError(f"{item.id} has no class; expected one, by its folder or number")
    score: Score = scorer.score(item.group, number, probability)
    return score
