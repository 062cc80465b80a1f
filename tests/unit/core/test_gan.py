import pytest
import torch

from latentspeech.core.gan import (
    DiscriminatorOutput,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
)


def output(logits: list[float], *features: list[float]) -> DiscriminatorOutput:
    layers = [torch.tensor(feature, requires_grad=True) for feature in features]
    return DiscriminatorOutput(torch.tensor(logits, requires_grad=True), layers)


def test_values_by_hand() -> None:
    estimate = [output([0.0, 1.0]), output([3.0])]
    reference = [output([1.0, 0.0]), output([0.5])]
    # (0 + 1) / 2 + (0 + 1) / 2 = 1, and 9 + 0.25
    assert discriminator_loss(estimate, reference).item() == pytest.approx(10.25)
    # (1 + 0) / 2 + 4
    assert generator_loss(estimate).item() == pytest.approx(4.5)


def test_hinge_values_by_hand() -> None:
    estimate = [output([-3.0, 0.0]), output([1.0])]
    reference = [output([2.0, 0.5]), output([-1.0])]
    # ((0 + 1) / 2 + (0 + 0.5) / 2 + 2 + 2) / 2, and -(-1.5 + 1)
    assert hinge_discriminator_loss(estimate, reference).item() == pytest.approx(2.375)
    assert hinge_generator_loss(estimate).item() == pytest.approx(0.5)
    settled = ([output([-1.0, -9.0])], [output([1.0, 9.0])])
    assert hinge_discriminator_loss(*settled) == 0


def test_a_perfect_discriminator_has_no_loss() -> None:
    estimate, reference = [output([0.0, 0.0])], [output([1.0, 1.0])]
    assert discriminator_loss(estimate, reference) == 0
    assert generator_loss(estimate) == 1
    assert generator_loss(reference) == 0


def test_feature_matching_by_hand() -> None:
    estimate = [output([9.0], [1.0, 3.0], [2.0]), output([9.0], [0.0])]
    reference = [output([0.0], [0.0, 0.0], [5.0]), output([0.0], [4.0])]
    # mean(1, 3) + 3 + 4; the logits take no part
    assert feature_matching_loss(estimate, reference).item() == pytest.approx(9.0)


def test_gradients_reach_the_estimate_only() -> None:
    estimate, reference = [output([0.0], [1.0, 3.0])], [output([1.0], [0.0, 0.0])]
    (feature_matching_loss(estimate, reference) + generator_loss(estimate)).backward()
    assert estimate[0].logits.grad is not None
    assert estimate[0].features[0].grad is not None
    assert estimate[0].features[0].grad.tolist() == [0.5, 0.5]
    assert reference[0].features[0].grad is None


def test_unequal_numbers_of_discriminators_are_a_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        discriminator_loss([output([0.0])], [])
