"""Metrics of single images against their originals: PSNR and SSIM.

Both are computed on 8-bit pixels, which is what a file holds. H height, W width.
"""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, Scorer, package_version, require_packages
from latentvision.images.transforms import to_pixels

_LEVELS = 255
# The mean squared error that rounding to whole levels causes; equal images get the PSNR of it.
_ROUNDING_ERROR = 1 / 12
_SSIM_WINDOW = 11


class ImageScorer(Scorer):
    """A metric that compares an image with its original."""

    held_against = "the original"

    @abstractmethod
    def score(self, reference: Tensor, hypothesis: Tensor) -> Score:
        """Scores one image (3, H, W) in [-1, 1] against the original of the same size.

        Raises:
            InputError: this image cannot be scored; the message gives the reason.
        """

    def pixels(self, reference: Tensor, hypothesis: Tensor) -> tuple[Tensor, Tensor]:
        """Both images as levels 0 to 255, float64; InputError if their sizes differ."""
        if reference.shape != hypothesis.shape:
            raise InputError(
                f"{self.name}: the image is {tuple(hypothesis.shape)}, its original "
                f"{tuple(reference.shape)}; expected equal sizes"
            )
        return to_pixels(reference).double(), to_pixels(hypothesis).double()


class Psnr(ImageScorer):
    """Peak signal-to-noise ratio of all channels together; the mean of the images' own."""

    name = "PSNR"
    unit = "dB"
    higher_is_better = True

    def describe(self) -> dict[str, Any]:
        """The range of the pixels, and what equal images get."""
        return {"pixels": "8-bit RGB", "peak": _LEVELS, "equal_images_db": 58.92}

    def score(self, reference: Tensor, hypothesis: Tensor) -> Score:
        """10 log10(255^2 / mean squared error)."""
        real, made = self.pixels(reference, hypothesis)
        error = (made - real).square().mean().clamp(min=_ROUNDING_ERROR)
        return Score(float(10 * (_LEVELS**2 / error).log10()))


class Ssim(ImageScorer):
    """Structural similarity (Wang et al. 2004, doi 10.1109/TIP.2003.819861), by pytorch-msssim."""

    name = "SSIM"
    unit = ""
    higher_is_better = True

    def prepare(self) -> None:
        """Checks that the package is there."""
        require_packages(self.name, {"pytorch_msssim": "pytorch-msssim"})

    def describe(self) -> dict[str, Any]:
        """The window, and the package."""
        return {
            "pixels": "8-bit RGB, mean over channels",
            "window": "Gaussian, sigma 1.5, 11 x 11",
            "package": package_version("pytorch-msssim"),
        }

    def score(self, reference: Tensor, hypothesis: Tensor) -> Score:
        """The mean over places."""
        from pytorch_msssim import ssim

        real, made = self.pixels(reference, hypothesis)
        if min(real.shape[-2:]) < _SSIM_WINDOW:
            raise InputError(
                f"SSIM: the image has {real.shape[-1]} x {real.shape[-2]} pixels; expected at "
                f"least {_SSIM_WINDOW} a side, the size of the window"
            )
        return Score(float(ssim(made[None], real[None], data_range=_LEVELS)))
