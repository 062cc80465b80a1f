"""A metric for parts of the items, such as items of one length or one group.

A modality defines the parts. Each part is aggregated as all items are (WER pools its errors) and
has its own interval over items.
"""

from collections.abc import Callable, Mapping, Sequence

from latentspeech.core.eval.report import Bucket, ItemResult
from latentspeech.core.eval.scorer import Scorer
from latentspeech.core.eval.statistics import bootstrap_interval

# The place of an item's part in the order of a table, and its label; None: the item is in no part.
Part = tuple[int, str] | None
# The function that finds an item's part, by the name of the kind of parts.
Parts = Mapping[str, Callable[[ItemResult], Part]]


def make_buckets(
    scorer: Scorer, items: Sequence[ItemResult], parts: Parts, seed: int, num_resamples: int
) -> list[Bucket]:
    """All parts that have a scored item; the parts of one kind are in the order of their places.

    A kind with a single part (one speaker, all of one length) adds nothing and is left out.
    """
    scored = [item for item in items if scorer.name in item.scores]
    buckets: list[Bucket] = []
    for kind, part_of in parts.items():
        members: dict[tuple[int, str], list[ItemResult]] = {}
        for item in scored:
            part = part_of(item)
            if part is not None:
                members.setdefault(part, []).append(item)
        if len(members) < 2:
            continue
        for part, found in sorted(members.items(), key=lambda entry: entry[0]):
            scores = [item.scores[scorer.name] for item in found]
            value = scorer.aggregate(scores)
            interval = bootstrap_interval(scorer, scores, seed, num_resamples)
            buckets.append(Bucket(kind, part[1], value, interval, len(scores)))
    return buckets
