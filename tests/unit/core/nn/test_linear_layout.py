import torch
from torch import nn

from latentspeech.core.nn.linear_layout import transpose_linear_weights


def test_only_the_layout_of_weights_changes() -> None:
    layers = nn.Sequential(nn.Linear(6, 4), nn.SiLU(), nn.Linear(4, 5, bias=False))
    x = torch.randn(2, 6)
    before, expected = {k: v.clone() for k, v in layers.state_dict().items()}, layers(x)
    transpose_linear_weights(layers)
    assert layers[0].weight.stride() == (1, 4)
    torch.testing.assert_close(layers(x), expected)
    for name, value in layers.state_dict().items():
        assert torch.equal(value, before[name])
