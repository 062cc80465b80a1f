"""The device that a command computes on: the one that was asked for, or a GPU if there is one."""

import os

import torch

from latentspeech.core.errors import ConfigError

AUTO = "auto"
CPU = torch.device("cpu")
DEVICE_HELP = "auto (a GPU if there is one), cpu, cuda or cuda:N"
# cuBLAS and cuDNN read it when they are first used, in this process and in those that it starts.
_TF32_VARIABLE = "NVIDIA_TF32_OVERRIDE"


def choose_device(asked: str = AUTO) -> torch.device:
    """Returns the device of `--device`; a GPU always has its number, which some libraries need.

    The call also makes GPUs compute float32 in full: the ten-bit products of TF32, which
    convolutions use otherwise, would change a measured number by more than rounding. A value of
    NVIDIA_TF32_OVERRIDE that is already set is kept.

    Args:
        asked: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ConfigError: `asked` is another word, or a GPU that this machine or torch does not have.
    """
    if asked == AUTO:
        return _gpu(0) if torch.cuda.is_available() else CPU
    device: torch.device | None
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {asked!r} is not known; expected {DEVICE_HELP}")
    if device.type == "cpu":
        return CPU
    number, count = device.index or 0, torch.cuda.device_count()
    if number >= count:
        raise ConfigError(
            f"device {asked!r} is not here: torch {torch.__version__} finds {count} GPU(s); use "
            "--device cpu, or see with nvidia-smi and torch.version.cuda what is missing"
        )
    return _gpu(number)


def describe_device(device: torch.device) -> dict[str, str]:
    """Names the GPU in a result's description; empty for the CPU, which gives the same numbers."""
    if device.type == "cpu":
        return {}
    return {"device": f"{device.type}, {torch.cuda.get_device_name(device)}"}


def _gpu(number: int) -> torch.device:
    os.environ.setdefault(_TF32_VARIABLE, "0")
    return torch.device("cuda", number)
