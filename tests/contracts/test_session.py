"""Rows that come and go leave each other alone, whatever runs them and whatever decides."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.lm.mixed_batch import collate
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.core.lm.runtime import Runtime
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import GeneratedElement, generate, token_span
from latentspeech.core.lm.sampling.prefix_store import read_prefix
from latentspeech.core.lm.sampling.row_policy import Decision, GenerationLimits, Integers
from latentspeech.core.lm.sampling.session import Session, SessionRow, SessionStep
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.onnx.from_torch import onnx_runtime
from latentspeech.tts.layouts.aligned_policy import AlignedLimits, AlignedPolicy
from tests.mixed_models import DIMS, IMAGE, RUNTIMES, SPEECH, MakeRuntime, make, randomize

BOD, EOD = SPEECH["bod_id"], SPEECH["eod_id"]
IMAGE_BOD, IMAGE_EOD, IMAGE_SLOT = IMAGE["bod_id"], IMAGE["eod_id"], IMAGE["slot_id"]
CAPACITY = 60

Written = list[tuple[int, torch.Tensor | None]]  # of a row: (token id, latent)


def record(step: SessionStep, rows: dict[int, Written]) -> None:
    for place, row_id in enumerate(step.row_ids):
        latent = None
        for of_modality in step.latents.values():
            found = np.flatnonzero(of_modality.places == place)
            if len(found):
                latent = torch.as_tensor(of_modality.values[found[0]]).clone()
        rows.setdefault(row_id, []).append((int(step.token_ids[place]), latent))


def alone(runtime: Runtime, row: SessionRow, sampling: SamplingConfig, policy: bool) -> Written:
    rows: dict[int, Written] = {}
    session = Session(runtime, sampling, 1, CAPACITY, make_policy(runtime, sampling, policy))
    session.add([row])
    while session.num_rows:
        record(session.step(), rows)
    return rows[0]


def make_policy(runtime: Runtime, sampling: SamplingConfig, aligned: bool) -> AlignedPolicy | None:
    return AlignedPolicy(runtime, 0, sampling.stop_bias) if aligned else None


def make_row(runtime: Runtime, seed: int, guided: bool, aligned: bool) -> SessionRow:
    """Prompts of many kinds and lengths; the random numbers are the same at every call."""
    generator = torch.Generator().manual_seed(seed)
    length, most = (int(n) for n in torch.randint(2, 12, (2,), generator=generator))
    prompt: list[TokenSpan | LatentSpan] = [
        TokenSpan(torch.randint(0, 10, (length,), generator=generator), False)
    ]
    if not aligned and seed % 3 == 0:
        limits = GenerationLimits(most, end_ids=frozenset({9}))  # goes on in token mode
    else:
        prompt.append(token_span([BOD]))
        limits = GenerationLimits(most, min_latents=2, end_ids=frozenset({EOD}))
    if aligned:
        ids = torch.randint(0, 10, (1 + seed % 5,), generator=generator).tolist()
        limits = AlignedLimits(2 * most, min_latents=2, script=token_span([*ids, EOD]), max_run=3)
    elif seed % 3 == 1:
        prompt.append(LatentSpan(0, torch.randn(3, DIMS[0], generator=generator), False))
    without = prompt[1:] or [token_span([1])] if guided else None
    return SessionRow(prompt, limits, runtime.ops.generator(seed, "row"), without)


def same(one: Written, other: Written) -> None:
    assert [token for token, _ in one] == [token for token, _ in other]
    for (_, left), (_, right) in zip(one, other, strict=True):
        assert (left is None) == (right is None)
        if left is not None and right is not None:
            torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", RUNTIMES)
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_rows_under_random_adds_and_drops_are_as_if_alone(
    kind: MakeRuntime, aligned: bool, guided: bool, seed: int
) -> None:
    """Up to five rows of any age; slots are used again, and dropped rows are a beginning."""
    model = randomize(make(), TorchRuntime if kind is TorchRuntime else onnx_runtime)
    for parameter in model.parameters():
        parameter.data.mul_(0.6)  # far from ties between tokens
    runtime = kind(model)
    sampling = SamplingConfig(
        temperature=0.0 if aligned else 0.8,
        top_p=0.9,
        num_steps=2,
        cfg_scale=1.5 if guided else 1.0,
        stop_bias=-1.0,
    )
    session = Session(runtime, sampling, 5, CAPACITY, make_policy(runtime, sampling, aligned))
    choose = np.random.default_rng(seed)
    written: dict[int, Written] = {}
    of_row: dict[int, int] = {}
    dropped: set[int] = set()
    waiting = list(range(14))
    while waiting or session.num_rows:
        action = choose.random()
        if waiting and session.num_free and (action < 0.4 or not session.num_rows):
            count = min(int(choose.integers(1, 4)), session.num_free, len(waiting))
            seeds = [waiting.pop() for _ in range(count)]
            ids = session.add([make_row(runtime, number, guided, aligned) for number in seeds])
            of_row |= dict(zip(ids, seeds, strict=True))
        elif action < 0.5 and session.num_rows > 1:
            row_id = session.row_ids[int(choose.integers(session.num_rows))]
            session.drop(row_id)
            dropped.add(row_id)
        elif session.num_rows:
            record(session.step(), written)
    assert len(of_row) == 14
    assert dropped
    for row_id, number in of_row.items():
        whole = alone(runtime, make_row(runtime, number, guided, aligned), sampling, aligned)
        found = written.get(row_id, [])
        assert len(found) == len(whole) or (row_id in dropped and len(found) < len(whole))
        same(found, whole[: len(found)])


@pytest.mark.parametrize("kind", RUNTIMES)
def test_at_equal_shapes_the_others_make_no_difference_at_all(kind: MakeRuntime) -> None:
    """The other slot held a row that was dropped, or holds one of the same length."""
    model = randomize(make(), onnx_runtime)
    sampling = SamplingConfig(num_steps=2, stop_bias=-1e9)

    def written(other: int, forerunner: bool) -> Written:
        runtime = kind(model)
        stream = runtime.ops.generator
        session = Session(runtime, sampling, 2, CAPACITY)
        limits = GenerationLimits(8)
        if forerunner:
            (gone,) = session.add(
                [SessionRow([token_span([1, 1, 1, BOD])], limits, stream(0, "row"))]
            )
            session.step()
            session.drop(gone)
        prompts = [[token_span([3, 4, BOD])], [token_span([other, other, BOD])]]
        generators = [stream(seed, "row") for seed in (1, other)]
        ids = session.add(
            [SessionRow(*row) for row in zip(prompts, [limits] * 2, generators, strict=True)]
        )
        rows: dict[int, Written] = {}
        while session.num_rows:
            record(session.step(), rows)
        return rows[ids[0]]

    one, other, after = written(5, False), written(6, False), written(5, True)
    for (_, left), (_, right), (_, late) in zip(one, other, after, strict=True):
        assert left is not None
        assert right is not None
        assert late is not None
        assert torch.equal(left, right)
        assert torch.equal(left, late)


@pytest.mark.parametrize("kind", RUNTIMES)
def test_a_prefix_may_be_of_other_length_than_its_neighbours(kind: MakeRuntime) -> None:
    """Longest prefix and longest prompt together are longer than a row may be."""
    model = randomize(make(), onnx_runtime)
    runtime = kind(model)
    sampling = SamplingConfig(num_steps=2, stop_bias=-1e9)
    long = token_span([2] * 40)
    limits = GenerationLimits(5)
    rows = [
        SessionRow(prompt, limits, runtime.ops.generator(3, "row"), prefix=prefix)
        for prompt, prefix in (
            ([token_span([4, BOD])], read_prefix(runtime, [long])),
            ([token_span([5] * 40 + [BOD])], None),
        )
    ]
    found: dict[int, Written] = {}
    session = Session(runtime, sampling, 2, 48)
    session.add(rows)
    while session.num_rows:
        record(session.step(), found)
    whole = [[long, token_span([4, BOD])], rows[1].prompt]
    for number, prompt in enumerate(whole):
        row = SessionRow(prompt, limits, runtime.ops.generator(3, "row"))
        same(found[number], alone(runtime, row, sampling, False))


def test_what_does_not_fit_is_refused() -> None:
    model = make()
    session = Session(TorchRuntime(model), SamplingConfig(), 1, 10)
    row = SessionRow([token_span([1, BOD])], GenerationLimits(8), torch.Generator())
    with pytest.raises(ConfigError, match="needs 11 positions and the session holds 10"):
        session.add([row])
    assert session.num_rows == 0
    row = SessionRow([token_span([1, BOD])], GenerationLimits(7), torch.Generator())
    (row_id,) = session.add([row])
    with pytest.raises(ConfigError, match="0 of 1 slots are free"):
        session.add([row])
    session.drop(row_id)
    with pytest.raises(ConfigError, match="row 0 is not in the session"):
        session.drop(row_id)
    with pytest.raises(ConfigError, match="no rows"):
        session.step()


def continued(
    model: LatentLM,
    prompt: MixedSequence,
    limits: GenerationLimits,
    sampling: SamplingConfig | None = None,
    without: MixedSequence | None = None,
    seed: int = 0,
) -> list[GeneratedElement]:
    steps = generate(
        TorchRuntime(model),
        [prompt],
        sampling or SamplingConfig(num_steps=1),
        [limits],
        [torch.Generator().manual_seed(seed)],
        None if without is None else [without],
    )
    return [element for (element,) in steps if element is not None]


@pytest.mark.parametrize("stop_bias", [-1e9, 1e9])
def test_a_fixed_number_of_latents_ends_with_eod_and_goes_on_in_text(stop_bias: float) -> None:
    """Two images in a row, whatever the softmax head says of their ends; nothing is truncated."""
    model = randomize(make(num_image_latents=4))
    begins = frozenset({IMAGE_BOD})
    limits = GenerationLimits(12, allowed_ids=begins)
    sampling = SamplingConfig(num_steps=1, stop_bias=stop_bias)
    row = continued(model, [token_span([1, IMAGE_BOD])], limits, sampling)
    image = [IMAGE_SLOT] * 4 + [IMAGE_EOD]
    assert [element.token_id for element in row] == [*image, IMAGE_BOD, *image, IMAGE_BOD]
    assert [element.kind for element in row] == [2, 2, 2, 2, 0, 0, 2, 2, 2, 2, 0, 0]
    assert [element.truncated for element in row] == [False] * 11 + [True]
    ends = GenerationLimits(12, end_ids=frozenset({IMAGE_EOD}))
    row = continued(model, [token_span([IMAGE_BOD])], ends, sampling)
    assert [element.token_id for element in row] == image
    assert row[-1].done
    assert not row[-1].truncated


def test_a_prompt_within_an_image_needs_only_the_rest() -> None:
    model = randomize(make(num_image_latents=4))
    start = LatentSpan(1, torch.randn(3, DIMS[1], dtype=torch.float64), False)
    ends = GenerationLimits(9, end_ids=frozenset({IMAGE_EOD}))
    row = continued(model, [token_span([IMAGE_BOD]), start], ends)
    assert [element.token_id for element in row] == [IMAGE_SLOT, IMAGE_EOD]
    too_long = LatentSpan(1, torch.randn(5, DIMS[1], dtype=torch.float64), False)
    with pytest.raises(ConfigError, match="5 latents of a modality that has 4"):
        continued(model, [token_span([IMAGE_BOD]), too_long], ends)


def plain_model(*modalities: ModalityConfig) -> LatentLM:
    torch.manual_seed(2)
    backbone = TransformerConfig(
        model_dim=16, num_layers=2, num_heads=2, num_kv_heads=2, head_dim=8, ffn_dim=32
    )
    model = LatentLM(LatentLMConfig(backbone=backbone, vocab_size=16, modalities=modalities))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.mark.parametrize("kind", RUNTIMES)
def test_a_model_of_tokens_alone(kind: MakeRuntime) -> None:
    """It loses L_LM, writes what the whole sequence says at every place, and ends."""
    model = plain_model()
    batch = collate([[token_span([1, 2, 3], True)], [token_span([4], True)]], ())
    loss = latent_lm_loss(model, batch, torch.Generator())
    torch.testing.assert_close(loss.total, loss.token)
    steps = generate(
        kind(model),
        [[token_span([1, 2])], [token_span([3])]],
        SamplingConfig(),
        [GenerationLimits(6), GenerationLimits(4)],
        [torch.Generator(), torch.Generator()],
    )
    rows: list[list[int]] = [[1, 2], [3]]
    for step in steps:
        for row, element in zip(rows, step, strict=True):
            row += [] if element is None else [element.token_id]
    assert [len(row) for row in rows] == [8, 5]
    for row, start in zip(rows, (2, 1), strict=True):
        logits = model.token_logits(model(collate([[token_span(row)]], ())))[0]
        assert logits[start - 1 : -1].argmax(1).tolist() == row[start:]


def test_tokens_stay_within_what_may_stand() -> None:
    """Slot tokens never, other tokens where a row allows them, each row for itself."""
    model = randomize(make())
    sampling = SamplingConfig(temperature=5.0)
    wide, narrow = frozenset(range(16)), frozenset({3, 5, 7})
    everything: set[int] = set()
    for seed in range(20):
        limits = GenerationLimits(8, end_ids=frozenset({BOD, IMAGE_BOD}))
        row = continued(model, [token_span([1])], limits, sampling, seed=seed)
        everything |= {element.token_id for element in row}
    assert len(everything) > 8
    assert not everything & {SPEECH["slot_id"], IMAGE_SLOT}
    steps = generate(
        TorchRuntime(model),
        [[token_span([1])]] * 2,
        sampling,
        [GenerationLimits(30, allowed_ids=ids) for ids in (narrow, wide - {BOD, IMAGE_BOD})],
        [torch.Generator().manual_seed(seed) for seed in range(2)],
    )
    found: list[set[int]] = [set(), set()]
    for step in steps:
        for ids, element in zip(found, step, strict=True):
            ids |= set() if element is None else {element.token_id}
    assert found[0] == narrow
    assert found[1] - narrow
    assert not found[1] & {SPEECH["slot_id"], IMAGE_SLOT}


def test_guidance_of_tokens_is_uncond_plus_scale_times_the_difference() -> None:
    """Greedy tokens are those of the logits computed by hand; both prompts hear the new tokens."""
    model = plain_model()
    sampling = SamplingConfig(token_cfg_scale=3.0)
    prompt, without = [token_span([1, 2, 3])], [token_span([4])]
    row = continued(model, prompt, GenerationLimits(8), sampling, without)
    ids = [element.token_id for element in row]
    with_condition, without_condition = (
        model.token_logits(model(collate([[*start, token_span(ids)]], ())))[0, -9:-1]
        for start in (prompt, without)
    )
    guided = without_condition + 3.0 * (with_condition - without_condition)
    assert ids == guided.argmax(1).tolist()
    assert ids != with_condition.argmax(1).tolist()
    plain = continued(model, prompt, GenerationLimits(8))
    assert [element.token_id for element in plain] != ids


@dataclass
class Countdown:
    """State of the toy policy: latents that are left, of N slots."""

    left: Integers


class CountdownPolicy:
    """As many latents as the prompt's last but one token says, then the token 9."""

    tokens_are_condition = False

    def __init__(self, model: LatentLM) -> None:
        self.model = model

    def init_state(self, num_slots: int) -> Countdown:
        return Countdown(np.zeros(num_slots, dtype=np.int64))

    def start(
        self, state: Countdown, slot: int, prompt: MixedSequence, limits: GenerationLimits
    ) -> None:
        (span,) = prompt
        assert isinstance(span, TokenSpan)
        state.left[slot] = span.ids[-2]

    def decide(
        self, logits: torch.Tensor, state: Countdown, uniforms: torch.Tensor | None
    ) -> Decision:
        left = state.left[: len(logits)]
        done = left == 0
        left -= 1
        return Decision(1 - done, np.where(done, 9, 12), done, np.zeros_like(done))

    def token_inputs(self, state: Countdown, token_ids: Integers) -> torch.Tensor:
        return self.model.embed_tokens(torch.from_numpy(token_ids), None)

    def trial_inputs(self, state: Countdown, num_rows: int) -> None:
        return None


def test_a_policy_of_ones_own_decides() -> None:
    model = randomize(make())
    session = Session(
        TorchRuntime(model), SamplingConfig(num_steps=1), 3, 20, CountdownPolicy(model)
    )
    rows: dict[int, Written] = {}
    for counts in ([3, 1], [2]):
        session.add(
            [
                SessionRow([token_span([n, BOD])], GenerationLimits(9), torch.Generator())
                for n in counts
            ]
        )
        record(session.step(), rows)
    while session.num_rows:
        record(session.step(), rows)
    assert [[token for token, _ in rows[i]] for i in range(3)] == [
        [12, 12, 12, 9],
        [12, 9],
        [12, 12, 9],
    ]


def test_modalities_are_drawn_by_their_own_settings() -> None:
    """One row writes speech, the other an image, in the same steps."""
    model = randomize(make(num_image_latents=3))
    sampling = SamplingConfig(
        noise_scale=1.0, num_steps=1, stop_bias=-1e9, modalities={"image": {"noise_scale": 0.0}}
    )
    prompts = [[token_span([1, BOD])], [token_span([1, IMAGE_BOD])]]

    def latents(seed: int) -> list[torch.Tensor]:
        steps = generate(
            TorchRuntime(model),
            prompts,
            sampling,
            [GenerationLimits(3), GenerationLimits(3)],
            [torch.Generator().manual_seed(seed + row) for row in range(2)],
        )
        rows: list[list[torch.Tensor]] = [[], []]
        for step in steps:
            for row, element in zip(rows, step, strict=True):
                assert element is not None
                assert element.latent is not None
                row.append(element.latent)
        return [torch.stack(row) for row in rows]

    (speech, image), (other_speech, other_image) = latents(0), latents(10)
    assert speech.shape == (3, DIMS[0])
    assert image.shape == (3, DIMS[1])
    assert torch.equal(image, other_image)
    assert not torch.allclose(speech, other_speech)


@pytest.mark.parametrize(
    ("prompt", "most", "message"),
    [
        ([LatentSpan(0, torch.zeros(2, DIMS[0] + 1), False)], 5, "expected"),
        ([TokenSpan(torch.tensor([10_000]), False)], 5, "vocabulary"),
        ([TokenSpan(torch.zeros(0, dtype=torch.long), False)], 5, "prompt of a row is empty"),
        ([], 5, "prompt of a row is empty"),
        ([TokenSpan(torch.tensor([1]), False)], 0, "max_elements = 0"),
    ],
)
def test_a_row_that_cannot_be_read_leaves_the_session_as_it_was(
    prompt: MixedSequence, most: int, message: str
) -> None:
    runtime, sampling = TorchRuntime(make()), SamplingConfig(cfg_scale=1.0)
    first, last = (make_row(runtime, seed, False, False) for seed in (1, 2))
    session = Session(runtime, sampling, 2, CAPACITY)
    assert session.add([]) == []
    session.add([first])
    bad = SessionRow(prompt, GenerationLimits(most), torch.Generator())
    with pytest.raises(ValueError, match=message):
        session.add([bad])
    assert session.num_free == 1
    session.add([last])
    rows: dict[int, Written] = {}
    while session.num_rows:
        record(session.step(), rows)
    for row_id, seed in enumerate((1, 2)):
        same(rows[row_id], alone(runtime, make_row(runtime, seed, False, False), sampling, False))


def test_limits_name_ids_of_the_vocabulary() -> None:
    session = Session(TorchRuntime(make()), SamplingConfig(cfg_scale=1.0), 1, CAPACITY)
    prompt = [TokenSpan(torch.tensor([1]), False)]
    for limits in (
        GenerationLimits(3, end_ids=frozenset({10_000})),
        GenerationLimits(3, allowed_ids=frozenset({-1})),
    ):
        with pytest.raises(ConfigError, match="end_ids or allowed_ids"):
            session.add([SessionRow(prompt, limits, torch.Generator())])
