"""Latents from a codebook: LlamaGen's tokenizer, the discrete twin of the sigma-VAE.

Sun et al. 2024, arXiv 2406.06525; the losses are those of VQ-VAE (van den Oord et al. 2017, arXiv
1711.00937). Encoder outputs and codes are scaled to length 1 (Yu et al. 2022, arXiv 2110.04627), so
the nearest code is the one of the largest product:

    k = argmax <e, c_k>,  z = e + sg(c_k - e)
    loss = mean (sg(e) - c_k)^2 + commitment mean (e - sg(c_k))^2

B images, N patches, D latent dimension, K codes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.tensors import check_shape
from latentvision.tokenizer.posterior import Drawn, Posterior, VQConfig

# Products with all codes are computed for this many latents at a time, which bounds the memory.
_CHUNK = 4096


class VectorQuantizer(Posterior):
    """The codebook."""

    def __init__(self, config: VQConfig, latent_dim: int) -> None:
        super().__init__()
        self.config = config
        self.encoder_dim = latent_dim
        self.codebook = nn.Embedding(config.num_codes, latent_dim)
        with torch.no_grad():
            self.codebook.weight.copy_(functional.normalize(self.codebook.weight, dim=-1))

    def draw(self, encoded: Tensor, generator: torch.Generator) -> Drawn:
        """The nearest codes, through which the gradient goes as if they were the input."""
        unit = functional.normalize(encoded.float(), dim=-1)  # (B, N, D)
        codes = self._nearest(unit)
        chosen = self.vectors(codes)
        loss = (chosen - unit.detach()).square().mean()
        loss = loss + self.config.commitment_weight * (unit - chosen.detach()).square().mean()
        z = unit + (chosen - unit).detach()
        return Drawn(z, chosen, loss, self._usage(codes))

    def means(self, encoded: Tensor) -> Tensor:
        """The nearest codes' vectors."""
        return self.vectors(self.codes(encoded))

    def codes(self, encoded: Tensor) -> Tensor:
        """The numbers of the nearest codes: (B, N, D) -> (B, N) int64."""
        return self._nearest(functional.normalize(encoded.float(), dim=-1))

    def vectors(self, codes: Tensor) -> Tensor:
        """Codes (B, N) -> their vectors of length 1 (B, N, D), float32."""
        check_shape("codes", codes, "B", "N")
        return functional.normalize(self.codebook(codes).float(), dim=-1)

    def metrics(self, encoded: Tensor) -> Mapping[str, Tensor]:
        """How many codes the batch uses, as the exponential of their entropy."""
        return self._usage(self.codes(encoded))

    @torch.no_grad()
    def _nearest(self, unit: Tensor) -> Tensor:
        table = functional.normalize(self.codebook.weight.float(), dim=-1)  # (K, D)
        with torch.autocast(unit.device.type, enabled=False):
            flat = unit.detach().flatten(0, 1)  # (B N, D)
            nearest = [(part @ table.T).argmax(dim=-1) for part in torch.split(flat, _CHUNK)]
        return torch.cat(nearest).view(unit.shape[:2])

    def _usage(self, codes: Tensor) -> Mapping[str, Tensor]:
        counts = torch.bincount(codes.flatten(), minlength=self.config.num_codes).float()
        shares = counts / counts.sum()
        return {"code_perplexity": torch.special.entr(shares).sum().exp()}
