import pytest

from latentspeech.core.config import parse_config
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.sampling.config import SamplingConfig

SHARED = {"num_steps": 5, "cfg_scale": 2.0, "noise_scale": 0.3}


def test_a_modality_keeps_the_shared_settings_that_it_does_not_set() -> None:
    config = SamplingConfig(**SHARED, modalities={"image": LatentSampling(num_steps=20)})
    found = config.of_modalities(["speech", "image"])
    assert found == {
        "speech": LatentSampling(num_steps=5, cfg_scale=2.0, noise_scale=0.3),
        "image": LatentSampling(num_steps=20, cfg_scale=2.0, noise_scale=0.3),
    }


def test_a_value_set_on_purpose_stands_even_if_it_is_the_default() -> None:
    config = SamplingConfig(**SHARED, modalities={"image": LatentSampling(cfg_scale=1.0)})
    assert config.of_modalities(["image"])["image"].cfg_scale == 1.0


def test_settings_written_out_and_read_again_are_the_same() -> None:
    config = SamplingConfig(**SHARED, modalities={"image": LatentSampling(num_steps=20)})
    again = parse_config(SamplingConfig, config.model_dump(mode="json"))
    assert again == config
    assert again.of_modalities(["image"])["image"].cfg_scale == 2.0


def test_settings_of_a_modality_that_the_model_lacks_are_refused() -> None:
    config = SamplingConfig(modalities={"imag": LatentSampling(num_steps=20)})
    with pytest.raises(ConfigError, match=r"'imag'.*'image', 'speech'"):
        config.of_modalities(["speech", "image"])


def test_an_unknown_setting_of_a_modality_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'num_steps'"):
        parse_config(SamplingConfig, {"modalities": {"image": {"num_step": 20}}})


def test_one_guided_modality_is_enough_for_prompts_without_the_condition() -> None:
    assert not SamplingConfig().guided
    assert SamplingConfig(cfg_scale=2.0).guided
    assert SamplingConfig(modalities={"image": LatentSampling(cfg_scale=1.65)}).guided
