"""The layout aligned while it writes: when tokens come, and what they leave in the cache."""

import pytest
import torch

from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.mixed_batch import collate
from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import GeneratedElement, generate, token_span
from latentspeech.core.lm.sampling.row_draws import BLOCK
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.tensors import make_generator
from latentspeech.tts.layouts.aligned_policy import AlignedLimits, AlignedPolicy
from tests.mixed_models import DIMS, RUNTIMES, MakeRuntime, make, randomize


@pytest.mark.parametrize("kind", RUNTIMES)
@pytest.mark.parametrize("num_neighbours", [0, 2])
def test_scripts_are_read_as_if_they_had_stood_there(
    num_neighbours: int, kind: MakeRuntime
) -> None:
    """What stands around a script's tokens is what the whole sequence, seen at once, predicts."""
    model = randomize(make(num_neighbours=num_neighbours), kind)
    speech = model.config.modalities[0]
    sampling = SamplingConfig(cfg_scale=1.7, num_steps=3, stop_bias=-4.0)
    scripts = [
        TokenSpan(
            torch.tensor([*ids, speech.eod_id]),
            True,
            torch.arange(-1, 2 * len(ids) + 1).view(-1, 2),
        )
        for ids in ([1, 2, 3], [4, 5, 6, 7, 8])
    ]
    if not num_neighbours:
        scripts = [TokenSpan(script.ids, True) for script in scripts]
    runtime = kind(model)
    steps = generate(
        runtime,
        [[token_span([9, speech.bod_id])], [token_span([9, 9, speech.bod_id])]],
        sampling,
        [AlignedLimits(100, script=script, max_run=4) for script in scripts],
        [runtime.ops.generator(i, "row") for i in range(2)],
        [[token_span([speech.bod_id])]] * 2,
        policy=AlignedPolicy(runtime, 0, sampling.stop_bias),
    )
    rows: list[list[GeneratedElement]] = [[], []]
    for step in steps:
        for row, element in zip(rows, step, strict=True):
            row += [element] if element is not None else []

    for number, (row, script) in enumerate(zip(rows, scripts, strict=True)):
        assert [e.token_id for e in row if e.latent is None] == script.ids.tolist()
        latents = [torch.as_tensor(e.latent) for e in row if e.latent is not None]
        assert len(latents) > len(script.ids)
        prompt = [token_span([9] * (1 + number)), token_span([speech.bod_id])]
        script_tokens = iter(
            zip(script.ids, script.neighbours if num_neighbours else script.ids, strict=True)
        )
        written: list[TokenSpan | LatentSpan] = []
        for e in row:
            if e.latent is not None:
                written.append(LatentSpan(0, torch.as_tensor(e.latent)[None], True))
                continue
            token, beside = next(script_tokens)
            neighbours = None if script.neighbours is None else beside[None]
            written.append(TokenSpan(token[None], True, neighbours))
        whole = collate([[*prompt, *written]], DIMS)
        without = collate([[prompt[1], LatentSpan(0, torch.stack(latents), True)]], DIMS)
        hidden = model(whole)[0, 1 + number :]  # the states that decide on each element written
        check_times(model, hidden, row, sampling.stop_bias)
        conditions = [hidden[i] for i, e in enumerate(row) if e.latent is not None]
        generator = make_generator(number, "row")
        again = model.diffusion(0).sample(
            torch.stack(conditions),
            torch.randn(BLOCK, DIMS[0], generator=generator)[: len(latents)],
            model(without)[0, :-1],
            sampling,
        )
        expected = model.denormalize(0, again).to(latents[0].dtype)
        torch.testing.assert_close(torch.stack(latents), expected, rtol=1e-4, atol=1e-4)


def check_times(
    model: LatentLM, hidden: torch.Tensor, row: list[GeneratedElement], stop_bias: float
) -> None:
    """A token stands where the chance that it has not come yet falls to a half, or at the limit."""
    slot = model.config.modalities[0].slot_id
    logits = model.token_logits(hidden)
    logits[:, [i for i in range(logits.shape[1]) if i != slot]] += stop_bias
    staying = 1.0
    run = 0
    for element, probability in zip(row, logits.softmax(1)[:, slot].tolist(), strict=False):
        staying *= probability
        assert (element.latent is None) == (staying <= 0.5 or run == 4)
        assert element.truncated == (run == 4 and staying > 0.5)
        if element.latent is None:
            staying, run = 1.0, 0
        else:
            run += 1


def test_a_script_does_not_end_before_enough_latents() -> None:
    model = randomize(make())
    at_once = SamplingConfig(stop_bias=1e9)
    limits = AlignedLimits(20, min_latents=3, script=token_span([5, 6, 11]))
    steps = generate(
        TorchRuntime(model),
        [[token_span([1, 10])]],
        at_once,
        [limits],
        [torch.Generator()],
        policy=AlignedPolicy(TorchRuntime(model), 0, at_once.stop_bias),
    )
    kinds = [element.kind for (element,) in steps if element is not None]
    assert kinds == [0, 0, 1, 1, 1, 0]


def test_rows_stay_in_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows whose tokens come at different times take no more passes together than the longest."""
    model = randomize(make())
    runtime = TorchRuntime(model)
    passes = 0
    open_cache = runtime.open

    def counted(*sizes: int) -> object:
        cache = open_cache(*sizes)
        feed = cache.feed

        def count(x: torch.Tensor, lengths: list[int]) -> torch.Tensor:
            nonlocal passes
            passes += 1
            return feed(x, lengths)

        monkeypatch.setattr(cache, "feed", count)
        return cache

    monkeypatch.setattr(runtime, "open", counted)
    scripts = [token_span([*range(first, 9), 11]) for first in (1, 3, 5)]
    sampling = SamplingConfig(num_steps=1, stop_bias=-3.0)

    def written(rows: list[int]) -> list[list[int]]:
        steps = generate(
            runtime,
            [[token_span([9 - row, 10])] for row in rows],
            sampling,
            [AlignedLimits(100, script=scripts[row], max_run=3) for row in rows],
            [runtime.ops.generator(row, "row") for row in rows],
            policy=AlignedPolicy(runtime, 0, sampling.stop_bias),
        )
        found: list[list[int]] = [[] for _ in rows]
        for step in steps:
            for row, element in zip(found, step, strict=True):
                row += [element.token_id] if element is not None else []
        return found

    alone, counts = [], []
    for row in range(3):
        passes = 0
        alone += written([row])
        counts.append(passes)
    passes = 0
    assert written([0, 1, 2]) == alone
    assert passes == max(counts) < max(map(len, alone))
