import pytest
import torch
from torch import nn

from latentspeech.core.diffusion.config import DiffusionHeadConfig
from latentspeech.core.diffusion.head import DiffusionHead, time_sinusoids
from latentspeech.core.tensors import make_generator

SMALL = DiffusionHeadConfig(latent_dim=5, model_dim=32, cond_dim=24, num_layers=2, ffn_dim=64)


def trained(config: DiffusionHeadConfig = SMALL) -> DiffusionHead:
    """A head whose zero-initialised weights are random, as after training."""
    head = DiffusionHead(config)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.1)
    return head


@pytest.mark.parametrize(("width", "layers", "latent_dim"), [(1024, 3, 32), (2048, 6, 16)])
def test_number_of_parameters_is_the_papers(width: int, layers: int, latent_dim: int) -> None:
    with torch.device("meta"):
        head = DiffusionHead(
            DiffusionHeadConfig(
                latent_dim=latent_dim,
                model_dim=width,
                cond_dim=width,
                num_layers=layers,
                ffn_dim=4 * width,
            )
        )
    block = 3 * width * 4 * width + 3 * width**2  # SwiGLU, 3-way AdaLN
    time_and_condition = 256 * width + width**2 + width**2
    ends = 2 * width**2 + 2 * latent_dim * width  # last 2-way AdaLN; input and output
    assert sum(p.numel() for p in head.parameters()) == layers * block + time_and_condition + ends


def test_a_fresh_head_predicts_zeros_and_learns_from_there() -> None:
    head = DiffusionHead(SMALL)
    out = head(torch.randn(7, 5), torch.rand(7), torch.randn(7, 24))
    assert out.shape == (7, 5)
    assert (out == 0).all()
    (out - torch.randn(7, 5)).square().mean().backward()
    assert head.output.weight.grad is not None
    assert head.output.weight.grad.abs().max() > 0


def test_rows_do_not_see_each_other() -> None:
    head = trained()
    x, t, cond = torch.randn(4, 5), torch.rand(4), torch.randn(4, 24)
    together = head(x, t, cond)
    singles = torch.cat([head(x[i : i + 1], t[i : i + 1], cond[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, singles)


def test_one_prepared_condition_serves_every_time() -> None:
    head = trained()
    x, cond = torch.randn(4, 5), torch.randn(4, 24)
    prepared = head.prepare_condition(cond)
    for t in (0.1, 0.9):
        expected = head(x, torch.full((4,), t), cond)
        modulations = head.modulations(prepared, torch.tensor([t]))
        torch.testing.assert_close(head.denoise(x, modulations), expected)


def test_output_depends_on_latent_time_and_condition() -> None:
    head = trained()
    x, t, cond = torch.randn(1, 5), torch.tensor([0.5]), torch.randn(1, 24)
    base = head(x, t, cond)
    for changed in (head(x + 1, t, cond), head(x, t + 0.001, cond), head(x, t, cond + 1)):
        assert (changed - base).abs().max() > 1e-5


def test_sinusoids_are_of_the_step_number() -> None:
    waves = time_sinusoids(torch.tensor([0.25]), 256)
    assert waves.shape == (1, 256)
    assert waves[0, 0] == pytest.approx(torch.tensor(250.0).cos().item(), abs=1e-4)
    assert waves[0, 128] == pytest.approx(torch.tensor(250.0).sin().item(), abs=1e-4)
    assert waves[0, 127] == pytest.approx(1, abs=1e-3)  # the slowest hardly turns


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_narrow_model_tells_all_thousand_times_apart(dtype: torch.dtype) -> None:
    """In bfloat16 the times alone would collapse to about 500 values."""
    t = torch.arange(1, 1001) / 1000
    assert len(t.bfloat16().unique()) < 600
    config = SMALL.model_copy(update={"model_dim": 256})
    embedded = trained(config).to(dtype).time(t)  # (1000, d)
    assert embedded.dtype == dtype
    assert len(embedded.unique(dim=0)) == 1000
    assert time_sinusoids(t.to(dtype), 256).dtype == torch.float32


def test_a_bfloat16_head_is_near_its_float32_twin() -> None:
    head = trained()
    generator = make_generator(0, "inputs")
    x, cond = torch.randn(64, 5, generator=generator), torch.randn(64, 24, generator=generator)
    t = torch.rand(64, generator=generator)
    expected = head(x, t, cond)
    found = head.bfloat16()(x, t, cond.bfloat16()).float()
    assert (found - expected).norm() < 0.03 * expected.norm()


def test_an_odd_number_of_sinusoids_is_refused() -> None:
    with pytest.raises(ValueError, match="time_embedding_dim"):
        DiffusionHeadConfig(
            latent_dim=5, model_dim=32, cond_dim=24, ffn_dim=64, time_embedding_dim=7
        )
