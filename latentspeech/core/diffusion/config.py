"""The settings of a diffusion process and its head, and the constants of its two runtimes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from latentspeech.core.config import Config

PredictionType = Literal["epsilon", "x0", "v_prediction", "flow"]

# At t = 1 there is no signal left, and x_0 = (x - sigma eps) / alpha turns any error of eps into a
# huge x_0. So sampling from a network that predicts eps starts at this time, where alpha is 0.05
# (cosine) or 0.03 (flow matching) and pure noise is still a good start.
EPSILON_START = 0.97
MIN_ALPHA = 1e-4  # keeps 1 / alpha finite; alpha(1) is 5e-5 in the cosine schedule
MAX_PERIOD = 10_000.0
TIME_SCALE = 1000.0  # scales t to the step number of a 1000-step DDPM


class CosineDDPMConfig(Config):
    """alpha_bar(n) = f(n / N) / f(0), f(u) = cos^2((u + s) / (1 + s) pi / 2), betas capped."""

    kind: Literal["cosine_ddpm"] = "cosine_ddpm"
    num_train_steps: int = Field(1000, ge=2, description="diffusion steps N")
    offset: float = Field(0.008, ge=0, description="s, keeps the first steps from being too small")
    beta_max: float = Field(0.999, gt=0, lt=1, description="cap of a step's noise")


class FlowMatchingConfig(Config):
    """alpha = 1 - t, sigma = t."""

    kind: Literal["flow_matching"] = "flow_matching"


ScheduleConfig = Annotated[CosineDDPMConfig | FlowMatchingConfig, Field(discriminator="kind")]


class DiffusionLossConfig(Config):
    """The number of times drawn for each latent in training, and their distribution."""

    num_noise_draws: int = Field(4, ge=1, description="R, times and noises for each latent")
    time_sampling: Literal["uniform", "logit_normal"] = Field(
        "uniform", description="uniform in [0, 1], or the logistic function of a normal variable"
    )
    logit_mean: float = Field(0.0, description="mean of the normal; above 0 favours noise")
    logit_std: float = Field(1.0, gt=0, description="standard deviation of the normal")

    @model_validator(mode="after")
    def _check(self) -> "DiffusionLossConfig":
        shaped = self.logit_mean != 0.0 or self.logit_std != 1.0
        if self.time_sampling == "uniform" and shaped:
            raise ValueError("logit_mean and logit_std have no effect with uniform times")
        return self


class DiffusionConfig(Config):
    """The process that a network learns to reverse."""

    schedule: ScheduleConfig = Field(CosineDDPMConfig(), description="how noise grows with time")
    prediction_type: PredictionType = Field("v_prediction", description="what the head predicts")
    loss: DiffusionLossConfig = Field(DiffusionLossConfig(), description="how times are drawn")


class DiffusionHeadConfig(Config):
    """Sizes of the head."""

    latent_dim: int = Field(ge=1, description="D, channels of a latent")
    model_dim: int = Field(ge=1, description="d, width of the head")
    cond_dim: int = Field(ge=1, description="width of the hidden state")
    num_layers: int = Field(3, ge=1, description="residual blocks")
    ffn_dim: int = Field(ge=1, description="inner width of SwiGLU; the paper's is 4 d")
    time_embedding_dim: int = Field(256, ge=2, multiple_of=2, description="sinusoids of the time")
