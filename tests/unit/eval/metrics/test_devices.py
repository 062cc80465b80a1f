"""Which metrics compute on the device that a command names."""

import pytest
import torch

from latentspeech.eval.metrics.catalogue import METRICS, make_scorer


@pytest.mark.parametrize("name", METRICS)
def test_networks_of_torch_get_the_device_and_nothing_else_does(name: str) -> None:
    device = torch.device("cuda", 3)
    scorer = make_scorer(name, device)
    wants = name.startswith(("sim-", "wer-")) or name in ("utmos", "distillmos")
    assert getattr(scorer, "device", None) == (device if wants else None)
