"""Speech as a second modality of continuous latents: pages, batches, the model, an open page."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.lm.mixed_batch import PADDING
from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan
from latentvision.generation.painter import Pictures
from latentvision.mllm.batches import PageBatchConfig, PageBatches
from latentvision.mllm.documents.config import JsonLinesPagesConfig, open_pages
from latentvision.mllm.documents.page import Page, Speech, Text, size_of
from latentvision.mllm.models.build import build_page_model, space_of
from latentvision.mllm.models.latent_lm import MultimodalLM
from latentvision.mllm.open_page import OpenPage, SpokenLatents
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.sequence import IMAGE, SPEECH, PageSequences
from latentvision.mllm.speech_latents import SpeechLatents
from latentvision.mllm.token_kinds import token_kinds
from latentvision.mllm.tokens.vocabulary import make_vocabulary
from latentvision.training.mllm_run import open_tokenizers, run_pages
from latentvision.training.pack_mllm import pack_page_model
from tests.tiny_pages import make_pictures, write_lines
from tests.tiny_spoken_pages import (
    CODEC_HASH,
    SPEECH_DIM,
    SPOKEN,
    random_speech,
    spoken_rows,
    spoken_run,
    write_speech,
)

LENGTHS = {f"{n}.wav": 5 + n for n in range(4)}


@pytest.fixture
def spoken(tmp_path: Path, sequences: PageSequences) -> PageSequences:
    speech = SpeechLatents(write_speech(tmp_path / "speech", random_speech(LENGTHS)))
    return PageSequences(sequences.tokenizer, sequences.encoder, speech=speech)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batches_of(folder: Path, spoken: PageSequences, rows: list[dict[str, object]]) -> PageBatches:
    location = write_lines(folder / "pages", rows)
    pictures = make_pictures(folder / "pictures")
    source = open_pages(JsonLinesPagesConfig(location=str(location), pictures=pictures))
    config = PageBatchConfig(batch_elements=256, row_length=64, bytes_per_token=1)
    return PageBatches(source, spoken, config, seed=0)


def test_the_marks_of_speech_move_no_other_id() -> None:
    for codes in (0, 40):
        silent, spoken = make_vocabulary(270, codes), make_vocabulary(270, codes, with_speech=True)
        assert silent[:9] == spoken[:9]
        assert silent.speech is None
        assert spoken.speech == (277 + codes, 278 + codes, 279 + codes)
    assert make_vocabulary(100_277, with_speech=True).size == 100_288


def test_latents_are_samples_around_the_means_in_the_shards(tmp_path: Path) -> None:
    means = random_speech(LENGTHS | {"long.wav": 4000})
    speech = pickle.loads(pickle.dumps(SpeechLatents(write_speech(tmp_path / "s", means, 0.5))))
    z = speech.sample("long.wav", generator())
    assert float((z - means["long.wav"]).std()) == pytest.approx(0.5, rel=0.05)
    assert torch.equal(z, speech.sample("long.wav", generator()))
    assert [speech.num_latents(name) for name in LENGTHS] == [5, 6, 7, 8]
    with pytest.raises(DataError, match=r"no latents of lost\.wav"):
        speech.sample("lost.wav", generator())


def test_a_page_with_speech(spoken: PageSequences) -> None:
    page = Page("a", "interleaved", (Text("the cat"), Speech("1.wav")))
    assert size_of(page).speech == ("1.wav",)
    _, _, bod, latents, eod, _ = spoken.sequence(page, generator())
    marks = spoken.vocabulary.speech
    assert marks is not None
    assert isinstance(latents, LatentSpan)
    assert (latents.modality, latents.latents.shape, latents.whole) == (SPEECH, (6, 3), True)
    for span, token, target in ((bod, marks.begin, True), (eod, marks.end, True)):
        assert isinstance(span, TokenSpan)
        assert (span.ids.tolist(), span.target) == ([token], target)
    assert latents.target
    assert spoken.speech_elements("1.wav") == 8


def test_a_page_with_speech_needs_latents(sequences: PageSequences) -> None:
    page = Page("a", "interleaved", (Speech("1.wav"),))
    with pytest.raises(DataError, match="there are no latents of speech"):
        sequences.sequence(page, generator())


def test_batches_hold_both_modalities(tmp_path: Path, spoken: PageSequences) -> None:
    data = batches_of(tmp_path, spoken, spoken_rows(12))
    found = [data.load(items, 1) for items in data.plan(0, 0)]
    counts = [sum(len(batch.latents[k]) for batch in found) for k in (IMAGE, SPEECH)]
    assert counts == [12 * 16, 3 * (5 + 6 + 7 + 8)]
    assert all(int((b.kinds != PADDING).sum()) <= 256 for b in found)
    for batch in found:
        kinds = token_kinds(batch, spoken.vocabulary)
        assert not bool(kinds.codes.any())
        # Orders 0, 1 and 2: the text is before, after and between the picture and the speech.
        assert bool(kinds.described.any())


def test_speech_longer_than_a_row_ends_its_page(tmp_path: Path, sequences: PageSequences) -> None:
    shards = write_speech(tmp_path / "speech", random_speech({"long.wav": 70, "1.wav": 4}))
    spoken = PageSequences(sequences.tokenizer, sequences.encoder, speech=SpeechLatents(shards))
    row = {"parts": [{"text": "the"}, {"speech": "long.wav"}, {"text": "cat"}]}
    data = batches_of(tmp_path, spoken, [row])
    ((items),) = data.plan(0, 0)
    batch = data.load(items, 0)
    assert batch.latents[SPEECH].shape == (0, SPEECH_DIM)
    assert int(batch.token_ids[0, 0]) == spoken.vocabulary.page_begin
    assert not bool((batch.token_ids == spoken.vocabulary.page_end).any())


def test_each_head_learns_from_its_own_latents(tmp_path: Path, spoken: PageSequences) -> None:
    """The gradient of one modality's loss reaches its own head and not the other's."""
    torch.manual_seed(0)
    model = build_page_model(spoken.tokenizer.size, space_of(spoken.encoder), SPOKEN)
    assert isinstance(model, MultimodalLM)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    data = batches_of(tmp_path, spoken, spoken_rows(4))
    (items,) = data.plan(0, 0)
    loss = model.loss(data.load(items, 0), generator())
    assert set(loss.metrics) == {"token", "picture", "speech"}
    assert loss.parts.keys() == model.counts(data.load(items, 0)).keys()
    for own, other in ((IMAGE, SPEECH), (SPEECH, IMAGE)):
        model.zero_grad()
        loss.parts[f"diffusion_{own}"].backward(retain_graph=True)
        moved = [_moved(model.lm.diffusion(k).head) for k in (own, other)]
        assert moved == [True, False]
    assert len(model.units()) == len(model.lm.backbone.layers) + 2


def _moved(head: torch.nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in head.parameters())


def test_a_run_packs_a_model_that_speaks(tmp_path: Path) -> None:
    run = spoken_run(tmp_path)
    run_pages(run)
    pack_page_model(run.exp_dir, tmp_path / "model")
    lines = [json.loads(line) for line in (run.exp_dir / "metrics.jsonl").open()]
    found = {name for line in lines for name in line}
    assert {"train/speech", "valid/speech", "valid/picture", "valid/text_nats"} <= found
    weights = load_file(tmp_path / "model/model.safetensors")
    speech = open_tokenizers(run).sequences.speech
    assert speech is not None
    std = speech.statistics()[1]
    torch.testing.assert_close(weights["lm.normalizers.1.std"], std, atol=1e-3, rtol=0)
    writer = PageWriter.from_directory(tmp_path / "model")
    assert writer.description.speech_codec_hash == CODEC_HASH
    page = OpenPage(writer, seed=1)
    page.add_text("the")
    drawn = page.draw()
    assert isinstance(drawn, Pictures)
    said = page.speak(max_latents=6)
    assert isinstance(said, SpokenLatents)
    assert said.codec_hash == CODEC_HASH
    assert 1 <= len(said.latents) <= 6
    assert said.latents.shape[1] == SPEECH_DIM
    assert page.length == 1 + len(writer.sequences.tokenizer.encode("the")) + 18 + 2 + len(
        said.latents
    )
    again = OpenPage(writer, seed=1)
    again.add_text("the")
    again.draw()
    assert torch.equal(again.speak(max_latents=6).latents, said.latents)
    with pytest.raises(InputError, match="the model has rows of 40"):
        page.add_speech(torch.zeros(30, SPEECH_DIM))


def test_settings_of_speech_come_together(tmp_path: Path) -> None:
    run = spoken_run(tmp_path)
    values = run.model_dump()
    with pytest.raises(ValueError, match="expected both or neither"):
        type(run)(**(values | {"speech_latents": None}))
    wrong = SPOKEN.model_copy(update={"speech": SPOKEN.speech.model_copy(update={"latent_dim": 9})})
    with pytest.raises(ConfigError, match="latents of 3 channels; expected 9"):
        open_tokenizers(run.model_copy(update={"model": wrong}))
