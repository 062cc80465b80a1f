import pytest
import torch
from torch import Tensor, nn

from latentspeech.codec.discriminators import (
    ComplexStftConfig,
    Discriminators,
    DiscriminatorsConfig,
    MultiPeriodConfig,
    PeriodDiscriminator,
    StftDiscriminator,
)
from latentspeech.codec.magnitude_discriminator import MagnitudeDiscriminator, MagnitudeStftConfig
from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.gan import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
)

MINI = DiscriminatorsConfig(
    multi_period=MultiPeriodConfig(periods=(2, 3), channels=(4, 8, 16)),
    complex_stft=ComplexStftConfig(window_lengths=(512, 256), channels=4),
    magnitude_stft=MagnitudeStftConfig(window_lengths=(512, 256), channels=4),
)


def num_parameters(modules: list[nn.Module]) -> int:
    return sum(weight.numel() for module in modules for weight in module.parameters())


def test_full_size_by_default() -> None:
    with torch.device("meta"):
        model = Discriminators(DiscriminatorsConfig())
    periods = [m for m in model.discriminators if isinstance(m, PeriodDiscriminator)]
    stfts = [m for m in model.discriminators if isinstance(m, StftDiscriminator)]
    assert [m.period for m in periods] == [2, 3, 5, 7, 11]
    assert [m.window_length for m in stfts] == [2048, 1024, 512]
    assert num_parameters(list(periods)) == pytest.approx(41.1e6, rel=1e-3)
    assert num_parameters(list(stfts)) == pytest.approx(1.414e6, rel=1e-3)


def test_full_size_shapes() -> None:
    model = Discriminators(
        DiscriminatorsConfig(multi_period=MultiPeriodConfig(channels=(2, 2, 3, 4)))
    )
    outputs = model(torch.randn(2, 9600))
    assert len(outputs) == 8
    # Period 7: ceil(9600 / 7) = 1372 steps of 2 * 7 rows, strides 3 3 3 1.
    assert [tuple(f.shape) for f in outputs[3].features] == [
        (14, 2, 458),
        (14, 2, 153),
        (14, 3, 51),
        (14, 4, 51),
    ]
    assert outputs[3].logits.shape == (14, 1, 51)
    # Window 2048: 1025 bins in five bands, ceil(9600 / 512) frames, five layers a band.
    assert len(outputs[5].features) == 25
    assert outputs[5].features[0].shape == (2, 32, 19, 102)
    assert outputs[5].features[4].shape == (2, 32, 19, 13)
    assert outputs[5].logits.shape[:3] == (2, 1, 19)


def test_period_folding_equals_the_two_dimensional_convolution() -> None:
    model = PeriodDiscriminator(3, (4, 5))
    audio = torch.randn(2, 92)
    folded = nn.functional.pad(audio[:, None], (0, 1), mode="reflect").view(2, 1, 31, 3)
    layer = model.layers[0]
    assert isinstance(layer, nn.Conv1d)
    expected = nn.functional.conv2d(
        folded, layer.weight[..., None], layer.bias, stride=(3, 1), padding=(2, 0)
    )  # (B, C, T', P)
    expected = nn.functional.leaky_relu(expected, 0.1)
    actual = model(audio).features[0]  # (B * P, C, T')
    torch.testing.assert_close(actual.view(2, 3, 4, -1).permute(0, 2, 3, 1), expected)


def test_spectrum_of_a_tone_lies_in_its_band() -> None:
    model = StftDiscriminator(512, 2, (0.0, 0.5, 1.0))
    audio = torch.sin(2 * torch.pi * 64 / 512 * torch.arange(2048))[None]
    spectrum = model._spectrum(audio)
    assert spectrum.shape == (1, 2, 16, 257)
    assert spectrum.norm(dim=1)[0, 8].argmax() == 64
    assert model.bands == [(0, 128), (128, 257)]


def test_magnitudes_do_not_hear_the_phase() -> None:
    model = MagnitudeDiscriminator(256, MagnitudeStftConfig(channels=4))
    turns = 2 * torch.pi * 32 / 256 * torch.arange(2048)
    sine, cosine = (model(wave[None]) for wave in (turns.sin(), turns.cos()))
    # 33 frames, and 129 bins with strides of 4, 2 and 2; at the edges a reflected wave jumps.
    assert sine.logits.shape == (1, 1, 33, 9)
    assert len(sine.features) == 4
    for one, other in zip(sine.features, cosine.features, strict=True):
        torch.testing.assert_close(one[:, :, 6:-6], other[:, :, 6:-6], rtol=1e-3, atol=1e-4)
    louder = model(2 * turns.sin()[None])
    assert not torch.allclose(louder.features[-1], sine.features[-1], atol=1e-2)


def test_a_draw_names_some_of_each_kind_and_only_they_judge() -> None:
    config = DiscriminatorsConfig(
        multi_period=MultiPeriodConfig(periods=(2, 3, 5), channels=(4, 8), drawn=2),
        complex_stft=ComplexStftConfig(window_lengths=()),
        magnitude_stft=MagnitudeStftConfig(window_lengths=(512, 256), channels=4, drawn=1),
    )
    model = Discriminators(config)
    draws = {tuple(model.draw(torch.Generator().manual_seed(seed))) for seed in range(40)}
    assert draws == {(a, b, c) for a, b in ((0, 1), (0, 2), (1, 2)) for c in (3, 4)}
    audio = torch.randn(2, 2400)
    everything, some = model(audio), model(audio, [0, 2, 4])
    for place, output in zip([0, 2, 4], some, strict=True):
        torch.testing.assert_close(output.logits, everything[place].logits)
    assert Discriminators(MINI).draw(torch.Generator()) == list(range(6))


def test_periods_may_stay_out_of_feature_matching() -> None:
    model = PeriodDiscriminator(3, (4, 5), match_features=False)
    assert model(torch.randn(2, 92)).features == []


def test_loudness_and_offset_do_not_matter() -> None:
    model = Discriminators(MINI)
    audio = torch.randn(2, 2400)
    for first, second in zip(model(audio), model(5 * audio + 0.3), strict=True):
        torch.testing.assert_close(first.logits, second.logits, rtol=1e-3, atol=1e-4)


def test_rows_do_not_mix() -> None:
    model = Discriminators(MINI)
    audio = torch.randn(2, 2400)
    features = [f for output in model(audio) for f in output.features]
    alone = [f for output in model(audio[1:]) for f in output.features]
    for both, one in zip(features, alone, strict=True):
        torch.testing.assert_close(both[len(both) // 2 :], one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("audio", [torch.zeros(1, 2400), torch.ones(1, 2400)])
def test_gradients_are_finite_for_silence(audio: Tensor) -> None:
    model = Discriminators(MINI)
    audio = audio.clone().requires_grad_()
    estimate, reference = model(audio), model(torch.randn(1, 2400))
    (generator_loss(estimate) + feature_matching_loss(estimate, reference)).backward()
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()


@pytest.mark.slow
def test_learns_to_tell_noise_from_tones() -> None:
    model = Discriminators(MINI)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.8, 0.99))
    time = torch.arange(2400) / 24000

    def batch() -> tuple[Tensor, Tensor]:
        pitch = 100 + 900 * torch.rand(4, 1)
        return torch.randn(4, 2400), torch.sin(2 * torch.pi * pitch * time)

    losses = []
    for _ in range(30):
        made, real = batch()
        loss = discriminator_loss(model(made), model(real))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    made, real = batch()
    with torch.no_grad():
        for judged_made, judged_real in zip(model(made), model(real), strict=True):
            assert judged_real.logits.mean() > judged_made.logits.mean() + 0.4


@pytest.mark.parametrize(
    ("cls", "values", "expected"),
    [
        (MultiPeriodConfig, {"channels": []}, "at least one"),
        (MultiPeriodConfig, {"periods": [2, 2]}, "distinct"),
        (MultiPeriodConfig, {"periods": [1]}, "greater than or equal to 2"),
        (ComplexStftConfig, {"band_edges": [0.5]}, "at least two"),
        (ComplexStftConfig, {"band_edges": [0.0, 0.5, 0.4]}, "without bins"),
        (ComplexStftConfig, {"window_lengths": [100]}, "multiple of 8"),
        (
            DiscriminatorsConfig,
            {"multi_period": {"periods": []}, "complex_stft": {"window_lengths": []}},
            "at least one discriminator",
        ),
    ],
)
def test_bad_settings(cls: type[Config], values: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parse_config(cls, values)


def test_too_short_audio_says_so() -> None:
    with pytest.raises(ValueError, match="use longer segments"):
        Discriminators(MINI)(torch.randn(1, 100))
