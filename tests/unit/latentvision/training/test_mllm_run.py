"""A run of each model of pages: resume, the mixture, the scale of latents, the model directory."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentspeech.core.errors import CheckpointError, ConfigError, DataError
from latentspeech.core.lm.mixed_batch import pack
from latentvision.mllm.documents.config import open_pages
from latentvision.mllm.documents.page import Page, Picture, Text
from latentvision.mllm.model_directory import load_page_model
from latentvision.mllm.token_kinds import token_kinds
from latentvision.training.mllm_data import picture_statistics, training_data, validation_data
from latentvision.training.mllm_run import open_tokenizers, run_pages
from latentvision.training.pack_mllm import pack_page_model
from latentvision.training.picture_encoding import BatchEncoder
from tests.tiny_page_models import KINDS, tiny_run, train_tiny
from tests.tiny_tokenizer import make_tokenizer_directory


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, kind: str) -> None:
    whole = train_tiny(tmp_path, kind)
    parts = tiny_run(tmp_path, kind, max_steps=2).model_copy(update={"exp_dir": tmp_path / "b"})
    run_pages(parts)
    more = tiny_run(tmp_path, kind).model_copy(update={"exp_dir": tmp_path / "b"})
    assert run_pages(more).step == 4
    for name in ("model.safetensors", "ema.safetensors"):
        one, other = (
            load_file(run.exp_dir / "checkpoints" / "step_00000004" / name)
            for run in (whole, parts)
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    lines = [json.loads(line) for line in (whole.exp_dir / "metrics.jsonl").open()]
    found = {name for line in lines for name in line}
    assert {"train/loss", "train/token", "valid/text_nats", "valid/described_nats"} <= found
    assert ("valid/codes_nats" if kind == "vq" else "valid/picture") in found
    pack_page_model(whole.exp_dir, tmp_path / "model")
    assert not [*(tmp_path / "model").rglob("*.pt"), *(tmp_path / "model").rglob("*.pkl")]
    loaded = load_page_model(tmp_path / "model")
    averaged = load_file(whole.exp_dir / "checkpoints" / "step_00000004" / "ema.safetensors")
    weight = loaded.model.lm.token_embedding.weight
    torch.testing.assert_close(weight, averaged["lm.token_embedding.weight"], atol=1e-3, rtol=0)
    assert (
        loaded.sequences.tokenizer.decode(loaded.sequences.tokenizer.encode("a\u00e4")) == "a\u00e4"
    )


def test_the_mixture_has_its_shares_and_the_twins_its_batches(tmp_path: Path) -> None:
    runs = {kind: tiny_run(tmp_path, kind) for kind in KINDS}
    opened = {kind: open_tokenizers(run) for kind, run in runs.items()}
    data = {
        k: training_data(run.data, opened[k].sequences, run.train.seed) for k, run in runs.items()
    }
    plans = {k: source.plan(0, 0) for k, source in data.items()}
    assert plans["latent_lm"] == plans["transfusion"] == plans["vq"]
    sources = [items[0].source for items in plans["vq"]]
    assert [sources.count(number) for number in range(3)] == [4, 2, 2]
    pairs = sources.index(1)
    first, *others = (data[k].load(plans[k][pairs], 1) for k in KINDS)
    for other in others:
        for name in ("kinds", "token_ids", "targets"):
            assert torch.equal(getattr(first, name), getattr(other, name)), name
        assert torch.equal(first.latents[0], other.latents[0])


def test_patches_become_latents_and_codes(tmp_path: Path) -> None:
    """Those of the encoders that read whole pictures; codes stand in the pictures' places."""
    for kind in ("latent_lm", "vq"):
        run = tiny_run(tmp_path, kind)
        tokenizer, encoder, sequences = open_tokenizers(run)
        pages = open_pages(run.data.train_sources[1].pages)
        pictures = [encoder.shrink(pages.page(n).parts[0].decode()) for n in range(3)]  # type: ignore[union-attr]
        generator = torch.Generator().manual_seed(0)
        rows = [
            sequences.sequence(Page("", "pair", (Text("the cat"), Picture("", p))), generator)
            for p in pictures
        ]
        batch = pack(rows, sequences.encoder.latent_dims, 60)
        codes = kind == "vq"
        made = BatchEncoder(tokenizer, sequences.vocabulary, codes)(batch, generator.manual_seed(1))
        expected = encoder.encode(pictures, generator.manual_seed(1))
        if codes:
            found = made.token_ids[batch.kinds == 1] - sequences.vocabulary.codes
            assert torch.equal(found.view(3, -1), expected)
            assert made.latents == ()
            assert int(made.kinds.max()) == 0
        else:
            torch.testing.assert_close(made.latents[0], expected.flatten(0, 1))
        text = pack(rows[:1], sequences.encoder.latent_dims, 60)
        text.kinds, text.latents = text.kinds.clamp(max=0), (text.latents[0][:0],)
        assert (
            BatchEncoder(tokenizer, sequences.vocabulary, codes)(text, generator).kinds.max() == 0
        )


def test_validation_reads_every_source_and_tells_text_apart(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "latent_lm")
    sequences = open_tokenizers(run).sequences
    data = validation_data(run.data, sequences, seed=0)
    assert data.num_windows() == 3
    encode = sequences.tokenizer.encode
    totals = torch.zeros(2, dtype=torch.long)
    for window in range(3):
        for items in data.plan(5, window):
            kinds = token_kinds(batch := data.load(items, 0), sequences.vocabulary)
            assert not bool((kinds.text & kinds.described).any())
            targets = batch.targets
            totals += torch.stack([(k & targets).sum() for k in (kinds.text, kinds.described)])
            if window == 2:  # interleaved: "the ", a picture, " mat N"
                assert int((kinds.text & targets).sum()) == len(items) * len(encode("the "))
    assert int(totals.min()) > 0


def test_the_scale_of_latents_is_that_of_the_training_pictures(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "latent_lm")
    encoder = open_tokenizers(run).encoder
    sources = [open_pages(source.pages) for source in run.data.train_sources]
    mean, std = picture_statistics(sources, encoder, 20, seed=0)
    pictures = [sources[1].page(index).parts[0] for index in sources[1].shard(0)]
    latents = encoder.encode(
        [encoder.shrink(picture.decode()) for picture in pictures * 20],  # type: ignore[union-attr]
        torch.Generator().manual_seed(1),
    )
    assert mean.shape == std.shape == (5,)
    assert float(std[0]) == pytest.approx(float(latents.std()), rel=0.2)
    with pytest.raises(DataError, match="fewer than two pictures that can be read"):
        picture_statistics(sources[:1], encoder, 20, seed=0)


def test_wrong_tokenizers_say_so(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "vq")
    other = tiny_run(tmp_path, "latent_lm")
    wrong = run.model_copy(update={"picture_tokenizer_dir": other.picture_tokenizer_dir})
    with pytest.raises(ConfigError, match="has no codes; expected one of kind 'vq'"):
        run_pages(wrong)
    done = train_tiny(tmp_path, "latent_lm", max_steps=1)
    pack_page_model(done.exp_dir, tmp_path / "model")
    strange = make_tokenizer_directory(tmp_path, seed=3) / "model.safetensors"
    weights = tmp_path / "model" / "picture_tokenizer" / "model.safetensors"
    own = weights.read_bytes()
    weights.write_bytes(strange.read_bytes())
    with pytest.raises(CheckpointError, match="pack the model with the tokenizer it was trained"):
        load_page_model(tmp_path / "model")
    weights.write_bytes(own)
    (tmp_path / "model" / "text_tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="holds neither text_tokenizer"):
        load_page_model(tmp_path / "model")
