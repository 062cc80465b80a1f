from latentspeech.core.eval.buckets import make_buckets
from latentspeech.core.eval.report import ItemResult
from latentspeech.core.eval.scorer import Score
from tests.tiny_scorers import Peak

SIZES = {"small": 0, "large": 1}
PARTS = {
    "size": lambda item: (SIZES[item.facts["size"]], item.facts["size"]),
    "class": lambda item: None if item.group is None else (0, item.group),
}


def image(number, size, class_, value):
    scores = {} if value is None else {"Peak": Score(value)}
    return ItemResult(f"{number}", "h.png", group=class_, facts={"size": size}, scores=scores)


def test_parts_are_the_modalitys_own_and_come_in_their_order():
    items = [
        image(0, "large", "zebra", 1.0),
        image(1, "small", "ape", 2.0),
        image(2, "large", None, 4.0),
        image(3, "small", "ape", None),  # not scored
    ]
    found = make_buckets(Peak(), items, PARTS, seed=0, num_resamples=20)
    assert [(b.kind, b.label, b.value, b.num_scored) for b in found] == [
        ("size", "small", 2.0, 1),
        ("size", "large", 2.5, 2),
        ("class", "ape", 2.0, 1),
        ("class", "zebra", 1.0, 1),
    ]
    assert make_buckets(Peak(), items[:1], PARTS, 0, 20) == []  # one part says nothing
