"""The sampling configuration of tokens and of the latents of every modality."""

from collections.abc import Sequence

from pydantic import Field, ValidationInfo, field_validator

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError


class SamplingConfig(LatentSampling):
    """Settings for drawing tokens and the latents of every modality."""

    temperature: float = Field(0.0, ge=0, description="for tokens; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="probability mass of tokens kept")
    token_cfg_scale: float = Field(
        1.0, ge=0, description="guidance of the softmax head's logits; 1 is off"
    )
    stop_bias: float = Field(0.0, description="added to the logit of EOD")
    modalities: dict[str, LatentSampling] = Field(
        {}, description="by modality: settings of its latents that differ from those above"
    )

    @field_validator("modalities")
    @classmethod
    def _complete(
        cls, modalities: dict[str, LatentSampling], info: ValidationInfo
    ) -> dict[str, LatentSampling]:
        """Fills the settings that a modality does not give with the shared values."""
        shared = {key: info.data[key] for key in LatentSampling.model_fields if key in info.data}
        return {
            name: LatentSampling(**{**shared, **own.model_dump(exclude_unset=True)})
            for name, own in modalities.items()
        }

    @property
    def guided(self) -> bool:
        """Whether tokens or any latents need prompts without the condition."""
        of_latents = super().guided or any(own.guided for own in self.modalities.values())
        return of_latents or self.token_cfg_scale != 1

    def of_modalities(self, names: Sequence[str]) -> dict[str, LatentSampling]:
        """The settings of each modality of a model, its own or the shared ones, by its name.

        Raises:
            ConfigError: there are settings for a modality that `names` does not list.
        """
        unknown = sorted(set(self.modalities) - set(names))
        if unknown:
            raise ConfigError(
                f"sampling settings for modalities {unknown}; the model has {sorted(names)}, give "
                "settings for these only"
            )
        shared = LatentSampling(**self.model_dump(include=set(LatentSampling.model_fields)))
        return {name: self.modalities.get(name, shared) for name in names}
