import pytest

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.eval.scorer import Score, Scorer, require_packages


class Loudness(Scorer):
    """The smallest scorer."""

    name = "RMS"
    unit = ""
    higher_is_better = True

    def describe(self):
        return {"metric": self.name}

    def score(self, reference, hypothesis, sample_rate, transcript=None):
        return Score(float(hypothesis.square().mean().sqrt()))


def test_default_aggregation_is_the_mean_and_refuses_nothing_to_average():
    scores = [Score(1.0), Score(2.0), Score(6.0)]
    assert Loudness().aggregate(scores) == 3.0
    assert Loudness().totals(scores) == {}
    with pytest.raises(InputError, match="no scores"):
        Loudness().aggregate([])


def test_missing_packages_are_named_with_the_command_that_installs_them():
    packages = {"no_such_module_a": "pkg-a", "torch": "torch", "no_such_module_b": '"pkg-b<2"'}
    with pytest.raises(ConfigError) as error:
        require_packages("X", packages)
    assert str(error.value).endswith('run: pip install pkg-a "pkg-b<2"')
