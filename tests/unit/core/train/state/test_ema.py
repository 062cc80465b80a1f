import pytest
import torch
from torch import nn

from latentspeech.core.errors import CheckpointError
from latentspeech.core.train.state.ema import Ema, ema_decay


def test_decay_warms_up():
    assert ema_decay(0.999, 0) == pytest.approx(0.1)
    assert ema_decay(0.999, 90) == pytest.approx(0.91)
    assert ema_decay(0.999, 10**6) == 0.999
    assert ema_decay(0.0, 10**6) == 0.0


def test_average_follows_the_formula_and_copies_buffers():
    module = nn.BatchNorm1d(2)
    ema = Ema(module, 0.999)
    expected = torch.ones(2)
    for count in range(5):
        with torch.no_grad():
            module.weight.add_(1.0)
        module.num_batches_tracked += 3
        ema.update(count)
        decay = (1 + count) / (10 + count)
        expected = decay * expected + (1 - decay) * (2.0 + count)
    assert torch.allclose(ema.tensors()["weight"], expected)
    assert int(ema.tensors()["num_batches_tracked"]) == 15


def test_applied_puts_averages_in_and_own_weights_back():
    module = nn.Linear(3, 3)
    ema = Ema(module, 0.9)
    with torch.no_grad():
        module.weight.add_(1.0)
    own = module.weight.detach().clone()
    with pytest.raises(RuntimeError), ema.applied():  # noqa: PT012
        assert torch.allclose(module.weight, own - 1.0, atol=1e-6)
        raise RuntimeError
    assert torch.equal(module.weight, own)


def test_other_model_is_refused():
    ema = Ema(nn.Linear(3, 3), 0.9)
    with pytest.raises(CheckpointError, match="other"):
        ema.load_tensors({"other": torch.zeros(1)})
