"""The benchmark's loop draws what the model draws, and its arithmetic is that of torch."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import image_throughput, report
from benchmarks.image_throughput import SAMPLING, Loop, flops, make, on_cpu, ratios
from latentspeech.core.tensors import make_generator
from latentvision.generation.backbone import BackboneConfig
from latentvision.generation.dit import DiTConfig
from latentvision.generation.generator import ImageGenerator
from latentvision.generation.image_lm import ImageLM, ImageLMConfig
from latentvision.generation.presets import dit_preset, imagenet_space, lm_preset
from tests.tiny_generators import CONFIGS, SPACE

CPU = torch.device("cpu")


def tiny(size: str) -> list[tuple[str, ImageLMConfig | DiTConfig]]:
    return [("dit", CONFIGS["dit"]), ("lm mha", CONFIGS["lm"]), ("lm gqa", CONFIGS["lm"])]


def test_the_loop_draws_what_the_model_draws() -> None:
    model = make(CONFIGS["lm"], SPACE, CPU)
    assert isinstance(model, ImageLM)
    labels = torch.tensor([0, 2, 1])
    drawn = model.sample(labels, [make_generator(0, "x", n) for n in range(3)], SAMPLING)
    rows = [torch.randn(64, 5, generator=make_generator(0, "x", n))[:12] for n in range(3)]
    again = Loop(model, 3, SAMPLING).draw(labels, torch.stack(rows))
    torch.testing.assert_close(again, drawn, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["lm", "dit"])
def test_operations_are_counted_as_torch_counts_them(kind: str) -> None:
    backbone = BackboneConfig(model_dim=64, num_layers=3, num_heads=4, num_kv_heads=4, ffn_dim=256)
    settings = {"head_ffn_dim": 256} if kind == "lm" else {}
    config = CONFIGS[kind].model_copy(update={"backbone": backbone, **settings})
    model: ImageGenerator = make(config, SPACE, CPU)
    counter = FlopCounterMode(display=False)
    with counter:
        model.sample(torch.tensor([0]), [make_generator(0, "x")], SAMPLING)
    assert flops(model) == pytest.approx(counter.get_total_flops(), rel=0.1)


def test_the_bound_at_medium_is_that_of_the_paper_sizes() -> None:
    with torch.device("meta"):
        lm, grouped, dit = (
            flops(image_throughput.build_generator(imagenet_space(), config))
            for config in (
                lm_preset("medium"),
                lm_preset("medium", grouped=True),
                dit_preset("medium"),
            )
        )
    assert dit / lm == pytest.approx(4.39, rel=0.02)
    assert dit / grouped == pytest.approx(4.5, rel=0.03)


@pytest.mark.parametrize("whole", [False, True])
def test_rows_and_ratios(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    monkeypatch.setattr(image_throughput, "_contestants", tiny)
    rows = on_cpu("tiny", [1, 2], 1, SPACE, whole)
    assert all(row["seconds_an_image"] > 0 and row["gflop_a_second"] > 0 for row in rows)
    found = ratios(rows)
    assert [(row["model"], row["batch_size"]) for row in found] == [
        ("lm mha", 1),
        ("lm mha", 2),
        ("lm gqa", 1),
        ("lm gqa", 2),
    ]
    for row in found:
        pair = [
            min(
                other["seconds_an_image"]
                for other in rows
                if (other["model"], other["beside"], other["batch_size"])
                == (which, row["model"], row["batch_size"])
            )
            for which in ("dit", row["model"])
        ]
        assert row["over_dit"] == pytest.approx(pair[0] / pair[1])


def test_half_precision_draws_too() -> None:
    for kind in ("lm", "dit", "givt", "mar"):
        model = make(CONFIGS[kind], SPACE, CPU).bfloat16()
        rounds = {"num_rounds": 4} if kind == "mar" else {}
        sampling = SAMPLING.model_copy(update=rounds)
        drawn = model.sample(torch.tensor([0]), [make_generator(0, "x")], sampling)
        assert bool(drawn.isfinite().all())
        assert drawn.dtype == torch.float32


def test_the_page_shows_rows_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_throughput, "_contestants", tiny)
    rows = on_cpu("tiny", [1], 1, SPACE)
    result = {"size": "tiny", "arithmetic_bound": {"lm mha": 4.4, "lm gqa": 4.5}}
    values = {
        "hardware": image_throughput.describe(),
        "sampling": {"num_steps": 20},
        "results": [{**result, "rows": rows, "ratios": ratios(rows)}],
    }
    monkeypatch.setattr(report, "load", lambda name: values)
    page = report.image_tables()
    assert len([line for line in page if line.startswith("| lm gqa | ")]) >= 2
    assert any(line.endswith("| 4.50 |") for line in page)
