"""How a model of pages draws pictures and writes text."""

from pydantic import Field

from latentspeech.core.diffusion.sampling import LatentSampling


class PageSampling(LatentSampling):
    """Settings of pictures and of text; guidance acts on pictures alone."""

    num_steps: int = Field(20, ge=1, description="solver steps of a picture or latent")
    cfg_scale: float = Field(
        3.0, ge=0, description="guidance of pictures; 1 is off; the paper's is not printed"
    )
    code_temperature: float = Field(1.0, ge=0, description="vq: divides the logits of codes")
    code_top_p: float = Field(1.0, gt=0, le=1, description="vq: probability mass of codes kept")
    text_temperature: float = Field(0.0, ge=0, description="divides the logits of text; 0: greedy")
    text_top_p: float = Field(1.0, gt=0, le=1, description="probability mass of text tokens kept")
