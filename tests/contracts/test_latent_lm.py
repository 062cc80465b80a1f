"""What holds for every mixed sequence: conditions see no target, rows never mix, N equals 1."""

import pytest
import torch

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.loss import decision_ids, latent_lm_loss
from latentspeech.core.lm.mixed_batch import PADDING, collate, pack
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import generate, token_span
from latentspeech.core.lm.sampling.prefix_store import Prefix, PrefixStore
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.core.lm.torch_runtime import TorchRuntime
from tests.mixed_models import DIMS, RUNTIMES, MakeRuntime, make, randomize


def sequence() -> MixedSequence:
    """Tokens, speech, tokens, an image, a token: any order works."""
    return [
        TokenSpan(torch.tensor([1, 2, 3, 10]), True),
        LatentSpan(0, torch.randn(4, DIMS[0], dtype=torch.float64), True),
        TokenSpan(torch.tensor([11, 4, 13]), True),
        LatentSpan(1, torch.randn(3, DIMS[1], dtype=torch.float64), True),
        TokenSpan(torch.tensor([14, 5]), True),
    ]


def test_no_condition_sees_its_target() -> None:
    model = randomize(make())
    batch = collate([sequence()], DIMS)
    latents = tuple(part.requires_grad_() for part in batch.latents)
    hidden = model(batch)
    kinds = batch.kinds[0].tolist()
    for modality in range(2):
        places = [i for i, kind in enumerate(kinds) if kind == 1 + modality]
        for order, place in enumerate(places):
            condition = hidden[0, place - 1]
            gradients = torch.autograd.grad(
                condition.sum(), latents, retain_graph=True, allow_unused=True
            )
            seen = gradients[modality]
            assert seen is not None
            assert seen[order:].abs().sum() == 0, "the condition depends on its target"
            assert order == 0 or seen[:order].abs().amax(1).min() > 0
            later = [g for m, g in enumerate(gradients) if m > modality and g is not None]
            assert all(g.abs().sum() == 0 for g in later)


def test_loss_conditions_are_those_of_the_previous_element() -> None:
    """The loss on the last latent sends gradient to earlier inputs, through the backbone."""
    model = randomize(make())
    spans = [
        TokenSpan(torch.tensor([1, 10]), False),
        LatentSpan(0, torch.randn(3, DIMS[0], dtype=torch.float64), False),
        LatentSpan(0, torch.randn(1, DIMS[0], dtype=torch.float64), True),
    ]
    batch = collate([spans], DIMS)
    embedded = []
    model.backbone.register_forward_pre_hook(
        lambda module, args: embedded.append(args[0].requires_grad_())
    )
    loss = latent_lm_loss(model, batch, torch.Generator().manual_seed(0))
    assert loss.num_latents == (1, 0)
    (gradient,) = torch.autograd.grad(loss.diffusion[0], embedded[0])
    assert gradient[0, 5].abs().sum() == 0, "the target was an input of its own condition"
    assert gradient[0, :5].abs().amax(1).min() > 0


def test_counts_and_decisions() -> None:
    model = make()
    batch = collate([sequence(), sequence()[:2]], DIMS)
    assert batch.lengths.tolist() == [16, 8]
    assert (batch.kinds[1, 8:] == PADDING).all()
    ids, choice = decision_ids(model, batch)
    assert ids[0].tolist() == [1, 2, 3, 10, 12, 12, 12, 12, 11, 4, 13, 15, 15, 15, 14, 5]
    expected = [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert choice[0].long().tolist() == expected
    loss = latent_lm_loss(model.double(), batch, torch.Generator().manual_seed(0))
    assert loss.num_tokens == (14 - 1) + (7 - 1)
    assert loss.num_latents == (8, 3)
    torch.testing.assert_close(loss.total, loss.token + sum(loss.diffusion))


@pytest.mark.parametrize("packed", [False, True])
def test_rows_do_not_change_each_other(packed: bool) -> None:
    model = randomize(make())
    torch.manual_seed(0)
    first, second = sequence(), sequence()[:2]
    alone = [model(collate([spans], DIMS))[0] for spans in (first, second)]
    if packed:
        batch = pack([second, first], DIMS, max_length=30)
        assert batch.kinds.shape[0] == 1
        together = model(batch)[0]
        found = [together[:16], together[16:24]]
    else:
        together = model(collate([first, second], DIMS))
        found = [together[0, :16], together[1, :8]]
    for one, other in zip(alone, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_pack_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="16 elements does not fit rows of 10"):
        pack([sequence()], DIMS, max_length=10)


@pytest.mark.parametrize("kind", RUNTIMES)
def test_batch_of_many_equals_singles_with_guidance(kind: MakeRuntime) -> None:
    model = randomize(make(), kind)
    runtime = kind(model)
    torch.manual_seed(1)
    before = torch.randn(2, DIMS[0]).to(model.token_embedding.weight)
    prompts = [
        [token_span([1, 2, 3, 10])],
        [token_span([4, 10])],
        [token_span([5, 6, 10]), LatentSpan(0, before, False)],
        [token_span([7, 13])],
    ]
    empty = [[token_span([10])]] * 3 + [[token_span([13])]]
    empty[2] = [token_span([10]), prompts[2][1]]
    limits = [GenerationLimits(max_elements=n, min_latents=n) for n in (6, 3, 5, 4)]
    sampling = SamplingConfig(cfg_scale=1.7, num_steps=3)

    def run(rows: list[int]) -> list[list[torch.Tensor]]:
        made: list[list[torch.Tensor]] = [[] for _ in rows]
        steps = generate(
            runtime,
            [prompts[i] for i in rows],
            sampling,
            [limits[i] for i in rows],
            [runtime.ops.generator(i, "row") for i in rows],
            [empty[i] for i in rows],
        )
        for step in steps:
            for place, element in enumerate(step):
                if element is not None and element.latent is not None:
                    made[place].append(torch.as_tensor(element.latent))
        return made

    together = run([0, 1, 2, 3])
    assert [len(row) for row in together] == [6, 3, 5, 4]
    for i in range(4):
        # Solver state is float32 by design, so this is float32's tolerance.
        for one, other in zip(run([i])[0], together[i], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", RUNTIMES)
def test_a_prefix_read_before_stands_before_the_prompt(kind: MakeRuntime) -> None:
    """And the store reads the same content once, other content anew, and forgets the oldest."""
    model = randomize(make(), kind)
    runtime = kind(model)
    spoken = LatentSpan(0, torch.randn(6, DIMS[0]), False)
    voice: MixedSequence = [token_span([3, 10]), spoken, token_span([11])]
    prompt: MixedSequence = [token_span([5, 6, 10])]

    def latents(
        prompt: MixedSequence, without: MixedSequence, prefixes: list[Prefix | None] | None
    ) -> torch.Tensor:
        sampling = SamplingConfig(cfg_scale=1.5, stop_bias=-1e9)
        limits, generators = [GenerationLimits(7)], [runtime.ops.generator(4, "row")]
        steps = generate(
            runtime, [prompt], sampling, limits, generators, [without], prefixes=prefixes
        )
        found = [e.latent for (e,) in steps if e is not None and e.latent is not None]
        return torch.stack([torch.as_tensor(latent) for latent in found])

    store = PrefixStore(runtime, capacity=2)
    begun, empty = store.get(voice), [token_span([10])]
    assert begun.saved.end == 9
    whole = latents([*voice, *prompt], empty, None)
    torch.testing.assert_close(latents(prompt, empty, [begun, None]), whole, rtol=1e-3, atol=1e-3)
    behind_all = latents(prompt, [], [begun, store.get(empty)])
    torch.testing.assert_close(behind_all, whole, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(latents(prompt, empty, None), whole, rtol=1e-2)

    same = [TokenSpan(torch.tensor([3, 10]), True), *voice[1:]]  # as the model reads it
    assert store.get(same) is begun
    others = [[voice[0]], [token_span([4, 10]), *voice[1:]]]
    assert all(store.get(other) is not begun for other in others)
    assert store.get(voice) is not begun


def test_latents_without_noise_are_the_same_for_every_seed() -> None:
    model = randomize(make())

    def latents(seed: int, noise_scale: float) -> list[torch.Tensor]:
        sampling = SamplingConfig(noise_scale=noise_scale, stop_bias=-1e9)
        limits = [GenerationLimits(4)]
        generator = torch.Generator().manual_seed(seed)
        steps = generate(
            TorchRuntime(model), [[token_span([1, 10])]], sampling, limits, [generator]
        )
        return [e.latent for (e,) in steps if e is not None and e.latent is not None]

    silent, again = (torch.stack(latents(seed, 0.0)) for seed in (1, 2))
    assert torch.equal(silent, again)
    full, half = (torch.stack(latents(1, scale)) for scale in (1.0, 0.5))
    for one, other in ((full, half), (half, silent), (silent, full)):
        assert not torch.allclose(one[0], other[0], rtol=1e-2)


def test_each_modality_is_drawn_with_its_own_settings() -> None:
    """The second modality's settings leave the first one alone, and rule the second."""
    runtime = TorchRuntime(randomize(make()))

    def latents(bod_id: int, sampling: SamplingConfig) -> torch.Tensor:
        generators = [torch.Generator().manual_seed(1)]
        prompts: list[MixedSequence] = [[token_span([1, bod_id])]]
        steps = generate(runtime, prompts, sampling, [GenerationLimits(4)], generators)
        return torch.stack([e.latent for (e,) in steps if e is not None and e.latent is not None])

    shared = SamplingConfig(num_steps=2, stop_bias=-1e9)
    image = LatentSampling(num_steps=7, solver="ddim")
    mixed = SamplingConfig(num_steps=2, stop_bias=-1e9, modalities={"image": image})
    alone = SamplingConfig(num_steps=7, solver="ddim", stop_bias=-1e9)
    assert torch.equal(latents(10, mixed), latents(10, shared))
    assert torch.equal(latents(13, mixed), latents(13, alone))
    assert not torch.equal(latents(13, mixed), latents(13, shared))


def test_guidance_needs_its_prompts() -> None:
    with pytest.raises(ConfigError, match="unconditional prompts"):
        next(
            generate(
                TorchRuntime(make()),
                [[token_span([1, 10])]],
                SamplingConfig(cfg_scale=2.0),
                [GenerationLimits(3)],
                [torch.Generator()],
            )
        )


@pytest.mark.slow
def test_overfits_a_tiny_mixed_sequence() -> None:
    """Learns tokens by heart and latents closely, and writes both in one loop with all switches."""
    torch.manual_seed(0)
    model = make(width=64, layers=2).train()
    speech = torch.randn(5, DIMS[0])
    image = torch.randn(4, DIMS[1])
    spans: MixedSequence = [
        token_span([0], False),
        token_span([1, 2, 3, 10], True),
        LatentSpan(0, speech, True),
        token_span([11, 4, 13], True),
        LatentSpan(1, image, True),
        token_span([14, 9], True),
    ]
    batch = collate([spans] * 4, DIMS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    generator = torch.Generator().manual_seed(0)
    for _ in range(600):
        loss = latent_lm_loss(model, batch, generator).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    limits = GenerationLimits(max_elements=40, end_ids=frozenset({9}))
    steps = generate(
        TorchRuntime(model),
        [[token_span([0])]],
        SamplingConfig(num_steps=20),
        [limits],
        [torch.Generator().manual_seed(1)],
    )
    elements = [step[0] for step in steps]
    ids = [e.token_id for e in elements if e.latent is None]
    assert ids == [1, 2, 3, 10, 11, 4, 13, 14, 9]
    written = [e.latent for e in elements if e.latent is not None]
    assert len(written) == 9
    error_speech = (torch.stack(written[:5]) - speech).square().mean().sqrt()
    error_image = (torch.stack(written[5:]) - image).square().mean().sqrt()
    assert error_speech < 0.15
    assert error_image < 0.15
