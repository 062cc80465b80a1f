import numpy as np
import pytest

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.eval import comparison
from latentspeech.core.eval.comparison import markdown
from latentspeech.core.eval.report import EvalReport, ItemResult, MetricResult
from latentspeech.core.eval.scorer import Score
from latentspeech.core.eval.statistics import tail_of
from tests.tiny_scorers import Peak, Pooled

stats = pytest.importorskip("scipy.stats")


def make_scorer(key):
    return {"peak": Peak, "pooled": Pooled}[key]()


def compare(first, second, metric, **options):
    return comparison.compare(first, second, metric, make_scorer, **options)


def make_report(values, *, speakers=None, sizes=None, metric="peak", hole=None, **description):
    result = MetricResult(
        key=metric,
        name=metric.capitalize(),
        unit="FS",
        higher_is_better=True,
        held_against="nothing",
        value=0.0,
        interval=None,
        group_interval=None,
        num_scored=len(values),
        num_failed=0,
        totals={},
        description={"metric": metric, **description},
        hole=hole,
    )
    sizes = [1] * len(values) if sizes is None else sizes
    utterances = [
        ItemResult(
            id=f"u{number}",
            hypothesis="h.wav",
            text="hello",
            group=None if speakers is None else f"s{speakers[number]}",
            scores={result.name: Score(float(value), {"samples": sizes[number]})},
        )
        for number, value in enumerate(values)
    ]
    return EvalReport([result], utterances, [], {}, {})


def systems(num_values, difference, seed=0):
    """Two systems that find the same utterances hard."""
    rng = np.random.default_rng([11, seed])
    hard = rng.normal(0, 1, num_values)
    first, second = (hard + rng.normal(0, 0.3, num_values) for _ in range(2))
    return first, second + difference


def test_a_difference_that_single_intervals_hide_is_found():
    first, second = systems(60, 0.2)
    found = compare(make_report(first), make_report(second), "peak")
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert found.interval[0] > 0
    assert found.p_value < 0.01
    assert "| b | 60 |" in markdown([found], ("a", "b"))
    assert found.value_b - found.value_a == pytest.approx(found.difference)
    back = compare(make_report(second), make_report(first), "peak")
    assert back.difference == pytest.approx(-found.difference)
    assert back.p_value == pytest.approx(found.p_value, abs=0.005)
    assert (found.group_interval, found.group_p_value, found.num_groups) == (None,) * 3


@pytest.mark.parametrize(("num_values", "difference"), [(9, 0.4), (40, 0.08)])
def test_p_values_equal_scipys(num_values, difference):
    first, second = systems(num_values, difference)
    ours = compare(make_report(first), make_report(second), "peak").p_value
    theirs = stats.permutation_test(
        (second, first),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=10000 if num_values > 9 else np.inf,
        vectorized=True,
        rng=np.random.default_rng(0),
    ).pvalue
    # Nine pairs are all exchanged by both; else two sets of 10,000 draws differ by their noise.
    assert ours == pytest.approx(theirs, abs=1e-12 if num_values == 9 else 0.02)


def test_the_interval_equals_scipys_paired_bootstrap():
    first, second = systems(50, 0.1)
    found = compare(make_report(first), make_report(second), "peak", num_resamples=20000)
    expected = stats.bootstrap(
        (second, first),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20000,
        confidence_level=1 - 2 * tail_of(50),
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = expected.high - expected.low
    assert found.interval == pytest.approx(tuple(expected), abs=0.03 * width)


def test_pooled_metrics_are_pooled_anew_in_every_draw():
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 30, 24).tolist()
    values = [rng.poisson(0.1 * size) for size in sizes], [rng.poisson(0.3 * s) for s in sizes]
    speakers = [number % 6 for number in range(24)]
    reports = [make_report(row, sizes=sizes, speakers=speakers, metric="pooled") for row in values]
    options = {"num_permutations": 800, "num_resamples": 400}
    found = compare(*reports, "pooled", **options)
    total = sum(sizes)
    assert found.difference == pytest.approx(1e3 * (sum(values[1]) - sum(values[0])) / total)
    assert found.p_value < 0.02 < found.group_p_value < 0.1  # six voices: 2 of 64 at the least


def test_equal_systems_have_p_1_and_no_better_one():
    values = np.arange(12.0)
    found = compare(make_report(values), make_report(values), "peak")
    assert (found.difference, found.p_value, found.interval) == (0.0, 1.0, (0.0, 0.0))
    assert "| undecided |" in markdown([found], ("a", "b"))


def test_alike_systems_are_called_different_in_5_of_100_tests():
    """Of p < 0.05, over 400 pairs of equal systems: 5% +- 2.2% (two standard errors)."""
    num_simulations = 400
    options = {"num_resamples": 2, "num_permutations": 400}
    wrong = {"utterance": 0, "speaker": 0}
    speakers = [number % 8 for number in range(32)]
    for number in range(num_simulations):
        rng = np.random.default_rng([13, number])
        # Voices differ in which system they suit, as they do; neither is better on the whole.
        suits = rng.normal(0, 0.5, 8)[speakers]
        hard = rng.gamma(2.0, 1.0, 32)
        first, second = hard + rng.normal(0, 1, 32), hard + rng.normal(0, 1, 32)
        alike = [make_report(row, speakers=speakers) for row in (first, second)]
        found = compare(*alike, "peak", seed=number, **options)
        wrong["utterance"] += found.p_value < 0.05
        uneven = make_report(second + suits, speakers=speakers)
        found = compare(
            alike[0], uneven, "peak", seed=number, num_resamples=2, num_permutations=400
        )
        wrong["speaker"] += found.group_p_value < 0.05
    for unit, count in wrong.items():
        assert 0.028 <= count / num_simulations <= 0.072, unit


def test_reports_of_other_utterances_are_refused():
    one, other = make_report(range(5)), make_report(range(7))
    with pytest.raises(DataError, match=r"differ in their items .*only in the second: u5, u6"):
        compare(one, other, "peak")
    assert compare(one, other, "peak", common_only=True).num_items == 5
    del other.items[5:]
    del other.items[2].scores["Peak"]  # it failed there
    with pytest.raises(DataError, match=r"scored items .*only in the first: u2"):
        compare(one, other, "peak")
    assert compare(one, other, "peak", common_only=True).num_items == 4
    other.items.clear()
    with pytest.raises(DataError, match="in common"):
        compare(one, other, "peak", common_only=True)


def test_other_texts_other_metrics_and_holes_are_refused():
    one, other = make_report(range(5)), make_report(range(5))
    other.items[1] = ItemResult("u1", "h", text="bye", scores={"Peak": Score(1.0)})
    with pytest.raises(DataError, match="u1 has another text"):
        compare(one, other, "peak")
    with pytest.raises(InputError, match="no metric 'pooled'"):
        compare(one, one, "pooled")
    with pytest.raises(DataError, match="was not measured in one report: no package"):
        compare(one, make_report(range(5), hole="no package"), "peak")
    nameless = make_report(range(5), metric="")
    with pytest.raises(ConfigError, match="own code"):
        compare(nameless, nameless, "")


def test_what_was_measured_differently_is_said():
    one = make_report(range(5), model="tiny", rate=16000)
    other = make_report(range(5), model="large", rate=16000)
    found = compare(one, other, "peak")
    assert found.measured_differently == {"model": ("tiny", "large")}
    text = markdown([found], ("one.json", "two.json"))
    assert "Peak was measured differently: model: a tiny, b large" in text
    assert text.startswith("| metric | a: one.json | b: two.json |")
