"""How many drawn pictures show what they should, in the eyes of a classifier of real pictures."""

from typing import Any

from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, Scorer
from latentvision.data.labels import class_number
from latentvision.eval.features import ClassifierFeatures


class ClassAccuracy(Scorer):
    """The share of samples whose class the classifier names."""

    name = "Accuracy"
    unit = ""
    higher_is_better = True
    held_against = "the class to draw"

    def __init__(self, network: ClassifierFeatures) -> None:
        self._network = network

    def describe(self) -> dict[str, Any]:
        """The classifier, and how well it does on real test pictures."""
        return {
            **self._network.description,
            "accuracy_on_test_pictures": self._network.test_accuracy,
        }

    def score(self, wanted: str, named: int, probability: float) -> Score:
        """1 if the classifier names the wanted class, else 0.

        Args:
            wanted: name or number of the class that the sample should show.
            named: number of the class that the classifier finds likeliest.
            probability: that class's probability.

        Raises:
            InputError: the classifier knows no such class.
        """
        names = self._network.class_names
        right = class_number(wanted, names) == named
        return Score(float(right), {"named": names[named], "probability": round(probability, 4)})


class Recognised(ClassAccuracy):
    """That share over the share of real test pictures; at 1 samples are recognised as well."""

    name = "Recognised"

    def __init__(self, network: ClassifierFeatures) -> None:
        """Raises InputError if the classifier recognises no test picture."""
        super().__init__(network)
        if not network.test_accuracy:
            raise InputError(
                "the classifier names the class of no test picture; expected a trained one: train "
                "it for longer"
            )

    def terms(self, score: Score) -> tuple[float, float]:
        """The sample's hit, and the hits that a real test picture has on average."""
        return score.value, self._network.test_accuracy
