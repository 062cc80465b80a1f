"""Whatever runs a LatentLM: what is kept is what the sequence holds, and the numbers agree."""

from typing import Any

import pytest
import torch
from torch import Tensor

from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.onnx.from_torch import onnx_runtime
from tests.mixed_models import MakeRuntime

RUNTIMES: tuple[MakeRuntime, ...] = (TorchRuntime, onnx_runtime)
WIDTH, LATENT_DIM = 32, 6


def native(kind: MakeRuntime, x: Tensor) -> Any:
    """The tensor as an array of the runtime."""
    return x if kind is TorchRuntime else x.numpy()


def make(diffusion: DiffusionConfig | None = None, **backbone: Any) -> LatentLM:
    torch.manual_seed(3)
    sizes: dict[str, Any] = {
        "model_dim": WIDTH,
        "num_layers": 2,
        "num_heads": 4,
        "num_kv_heads": 4,
        "head_dim": 8,
        "ffn_dim": 48,
        "ffn_kind": "swiglu",
    }
    speech = ModalityConfig(
        name="speech",
        latent_dim=LATENT_DIM,
        bod_id=1,
        eod_id=2,
        slot_id=3,
        head_layers=2,
        head_ffn_dim=40,
        diffusion=diffusion or DiffusionConfig(),
    )
    config = LatentLMConfig(
        backbone=TransformerConfig(**sizes | backbone), vocab_size=8, modalities=(speech,)
    )
    model = LatentLM(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.mark.parametrize("kind", RUNTIMES)
@pytest.mark.parametrize(
    "backbone",
    [
        {},
        {"num_kv_heads": 2},
        {"ffn_kind": "gelu"},
        {"num_kv_heads": 1, "head_dim": 4},
        {"num_kv_heads": 2, "head_dim": 16},
    ],
)
@torch.inference_mode()
def test_what_is_kept_of_each_row_is_its_sequence(
    kind: MakeRuntime, backbone: dict[str, Any]
) -> None:
    """Rows keep different numbers of what they are fed, more than a block of the cache in all."""
    model = make(**backbone)
    cache = kind(model).open(num_rows=3, capacity=160)
    kept: list[list[Tensor]] = [[], [], []]
    prompts, lengths = torch.randn(3, 70, WIDTH), [70, 3, 41]
    last = cache.prefill(native(kind, prompts), lengths)
    for row, length in enumerate(lengths):
        kept[row].append(prompts[row, :length])
        expected = model.backbone(kept[row][0][None])[0, -1]
        torch.testing.assert_close(torch.as_tensor(last[row]), expected, rtol=1e-4, atol=1e-4)
    for num_new, counts in (
        (1, (1, 0, 1)),
        (2, (1, 2, 0)),
        (2, (2, 1, 1)),
        (60, (60, 5, 0)),
        (1, (1, 1, 1)),
    ):
        x = torch.randn(3, num_new, WIDTH)
        hidden = cache.feed(native(kind, x))
        for row, past in enumerate(kept):
            whole = torch.cat([*past, x[row]])[None]
            expected = model.backbone(whole)[0, -num_new:]
            torch.testing.assert_close(torch.as_tensor(hidden[row]), expected, rtol=1e-4, atol=1e-4)
            past.append(x[row, : counts[row]])
        cache.keep(counts)


@pytest.mark.parametrize("kind", RUNTIMES)
@pytest.mark.parametrize("size", [8, 16])
@torch.inference_mode()
def test_positions_that_nobody_needs_may_be_left_out(kind: MakeRuntime, size: int) -> None:
    """Of two rows, more than a block of the cache, also when another row joins them."""
    model = make(head_dim=size, num_kv_heads=2)
    cache = kind(model).open(num_rows=3, capacity=160)
    prompts = torch.randn(2, 60, WIDTH)
    cache.prefill(native(kind, prompts), [60, 2])
    kept = [[prompts[0]], [prompts[1, :2]]]

    def feed(x: Tensor, lengths: list[int], counts: list[int]) -> None:
        hidden = torch.as_tensor(cache.feed(native(kind, x), lengths))
        for row, length in enumerate(lengths):
            whole = torch.cat([*kept[row], x[row, :length]])[None]
            expected = model.backbone(whole)[0, -length:] if length else torch.zeros(0, WIDTH)
            torch.testing.assert_close(hidden[row, :length], expected, rtol=1e-4, atol=1e-4)
            kept[row].append(x[row, : counts[row]])
        cache.keep(counts)

    for lengths, counts in (([2, 1], [1, 1]), ([2, 0], [2, 0]), ([0, 1], [0, 1])) * 4:
        feed(torch.randn(2, 2, WIDTH), lengths, counts)
    prompt = torch.randn(1, 5, WIDTH)
    cache.prefill(native(kind, prompt), [5], first_row=2)
    kept.append([prompt[0]])
    feed(torch.randn(3, 2, WIDTH), [2, 1, 2], [1, 1, 2])
    cache.move(2, 0)
    kept[0] = kept.pop()
    cache.clear(2)
    feed(torch.randn(2, 2, WIDTH), [1, 2], [1, 2])


@pytest.mark.parametrize("kind", RUNTIMES)
@torch.inference_mode()
def test_a_saved_row_starts_other_rows(kind: MakeRuntime) -> None:
    """More than a block of the cache; the other row starts from nothing."""
    model = make(num_kv_heads=2)
    beginning, rest, other = torch.randn(70, WIDTH), torch.randn(5, WIDTH), torch.randn(2, WIDTH)
    first = kind(model).open(num_rows=2, capacity=80)
    first.prefill(native(kind, torch.stack((beginning, beginning))), [3, 70])
    saved = first.save(1)
    first.feed(native(kind, torch.randn(2, 1, WIDTH)))
    first.keep([1, 1])  # a copy does not go along
    assert saved.end == 70
    cache = kind(model).open(num_rows=2, capacity=80)
    cache.load(0, saved)
    x = torch.stack((rest, torch.cat((other, torch.zeros(3, WIDTH)))))
    last = torch.as_tensor(cache.prefill(native(kind, x), [5, 2]))
    new = torch.randn(2, 1, WIDTH)
    hidden = torch.as_tensor(cache.feed(native(kind, new)))
    for row, past in enumerate((torch.cat((beginning, rest)), other)):
        whole = torch.cat((past, new[row]))[None]
        expected = model.backbone(whole)[0, -2:]
        found = torch.stack((last[row], hidden[row, 0]))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("solver", ["dpm_solver_pp_2m", "ddim", "euler"])
@pytest.mark.parametrize("prediction_type", ["v_prediction", "epsilon", "x0", "flow"])
@pytest.mark.parametrize("cfg_scale", [1.0, 2.5])
@torch.inference_mode()
def test_both_sample_the_same_latents(solver: Any, prediction_type: Any, cfg_scale: float) -> None:
    model = make(DiffusionConfig(prediction_type=prediction_type))
    cond, uncond, noise = torch.randn(4, WIDTH), torch.randn(4, WIDTH), torch.randn(4, LATENT_DIM)
    sampling = LatentSampling(cfg_scale=cfg_scale, num_steps=4, solver=solver, noise_scale=0.7)
    one, other = (
        torch.as_tensor(
            kind(model)
            .sampler(0)
            .sample(*(native(kind, x) for x in (cond, noise, uncond)), sampling)
        )
        for kind in RUNTIMES
    )
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_bytes_as_weights_are_near_the_weights() -> None:
    """An odd width included; rows do not depend on each other."""
    model = make(ffn_dim=71)
    x = torch.randn(2, 9, WIDTH)
    exact, near = (
        torch.from_numpy(onnx_runtime(model, int8=int8).open(2, 16).feed(x.numpy()))
        for int8 in (False, True)
    )
    assert 1e-4 < float((near - exact).norm() / exact.norm()) < 0.05
    alone = onnx_runtime(model, int8=True).open(num_rows=1, capacity=16).feed(x[1:].numpy())
    torch.testing.assert_close(torch.from_numpy(alone[0]), near[1])


def test_onnx_is_for_the_cpu() -> None:
    with pytest.raises(ConfigError, match="use the torch runtime"):
        onnx_runtime(make().to("meta"))
