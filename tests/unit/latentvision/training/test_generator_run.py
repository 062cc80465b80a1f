"""A generator's run: its batches, resume for every kind, and the model directory made of it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError
from latentspeech.core.latents.normalizer import RunningMoments
from latentvision.data.labels import class_number
from latentvision.generation.model_directory import load_generator
from latentvision.generation.models import find_generator, load
from latentvision.generation.space import ImageSpace
from latentvision.images.reading import read_picture
from latentvision.images.writing import read_provenance
from latentvision.tokenizer.model_directory import load_tokenizer
from latentvision.training.generator_data import GeneratorData, GeneratorDataConfig, one_scale
from latentvision.training.generator_run import class_names, run_generator
from latentvision.training.pack_generator import pack_generator
from tests.tiny_generators import KINDS
from tests.tiny_image_runs import CLASS_NAMES, tiny_run, train_tiny, write_latents
from tests.tiny_tokenizer import make_tokenizer_directory

SPACE = ImageSpace(num_rows=4, num_columns=4, latent_dim=5, num_classes=3)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> LatentShards:
    folder = tmp_path_factory.mktemp("shards")
    write_latents(folder / "latents", make_tokenizer_directory(folder), count=300, shard_size=50)
    return LatentShards(folder / "latents")


def data(shards: LatentShards, dropout: float = 0.1, batch_size: int = 32) -> GeneratorData:
    config = GeneratorDataConfig(batch_size=batch_size, window_shards=4)
    return GeneratorData(shards, SPACE, config, seed=0, class_dropout=dropout)


def test_an_epoch_has_every_image_once_in_another_order(shards: LatentShards) -> None:
    source = data(shards)
    epochs = []
    for epoch in (0, 1):
        batches = [batch for w in range(source.num_windows()) for batch in source.plan(epoch, w)]
        assert max(map(len, batches)) == 32
        epochs.append([index for batch in batches for index in batch])
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(300))
    assert epochs[0] != epochs[1]
    assert source.plan(0, 0) == data(shards).plan(0, 0)


def test_a_batch_has_drawn_latents_and_hides_a_tenth_of_the_classes(shards: LatentShards) -> None:
    source = data(shards)
    everything = list(range(300))
    batch, again, other = (source.load(everything, seed) for seed in (1, 1, 2))
    assert torch.equal(batch.latents, again.latents)
    assert torch.equal(batch.labels, again.labels)
    means = torch.stack([shards.load(index) for index in everything])
    noise = batch.latents - means
    assert float(noise.std()) == pytest.approx(0.5, rel=0.05)
    assert not torch.equal(batch.latents, other.latents)
    hidden = batch.labels == SPACE.null_class
    assert 15 <= int(hidden.sum()) <= 45
    assert not torch.equal(hidden, other.labels == SPACE.null_class)
    assert torch.equal(batch.labels[~hidden], (torch.arange(300) % 3)[~hidden])
    shown = data(shards, dropout=0.0).load(everything, 1)
    assert int(shown.labels.max()) < SPACE.null_class


def test_one_scale_is_the_deviation_of_all_numbers() -> None:
    values = torch.randn(500, 4, dtype=torch.float64) * torch.tensor([1.0, 2, 3, 4]) + 7
    values[:, 0] -= 5
    moments = RunningMoments.empty(4)
    moments.update(values)
    mean, std = one_scale(moments.mean, moments.std)
    torch.testing.assert_close(mean, values.mean().expand(4))
    torch.testing.assert_close(std, values.std(correction=0).expand(4))


def test_vq_batches_hold_the_codes_of_the_vectors(tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path, "vq")
    write_latents(tmp_path / "latents", directory)
    shards, tokenizer = LatentShards(tmp_path / "latents"), load_tokenizer(directory)
    space = SPACE.model_copy(update={"latent_dim": 1, "num_codes": 64})
    source = GeneratorData(shards, space, GeneratorDataConfig(), 0, 0.0, tokenizer.posterior)
    codes = source.load(range(10), 0).latents
    assert codes.shape == (10, 16, 1)
    vectors = tokenizer.posterior.vectors(codes[..., 0].long())
    torch.testing.assert_close(vectors, torch.stack([shards.load(i) for i in range(10)]))
    assert len(codes.unique()) > 5


def test_latents_without_classes_say_so(tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path)
    write_latents(tmp_path / "latents", directory)
    path = tmp_path / "latents" / "meta.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "modality": {**meta["modality"], "class_names": []}}))
    with pytest.raises(DataError, match="no class names; expected latents of labelled images"):
        class_names(LatentShards(tmp_path / "latents"))
    few = SPACE.model_copy(update={"num_classes": 1})
    source = GeneratorData(LatentShards(tmp_path / "latents"), few, GeneratorDataConfig(), 0, 0.0)
    with pytest.raises(DataError, match=r"item image-1 has the label 1; expected .* below 1"):
        source.load([1], 0)


def test_damaged_shards_are_left_out_if_asked_for(tmp_path: Path) -> None:
    write_latents(tmp_path / "latents", make_tokenizer_directory(tmp_path))
    path = tmp_path / "latents" / "latents-00001.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    loaded = []
    for skip in (True, False):
        config = GeneratorDataConfig(skip_bad=skip)
        source = GeneratorData(LatentShards(tmp_path / "latents"), SPACE, config, 0, 0.0)
        if skip:
            loaded = source.load(range(10), 0).labels.tolist()
            with pytest.raises(DataError, match="none of the 4 images can be read"):
                source.load(range(4, 8), 0)
        else:
            with pytest.raises(DataError, match="make it again"):
                source.load(range(10), 0)
    assert loaded == [0, 1, 2, 0, 2, 0]


def test_runs_that_cannot_work_are_refused(tmp_path: Path) -> None:
    """Codes of a tokenizer that has none, and validation images of other classes."""
    vq, lm = tiny_run(tmp_path, "vq"), tiny_run(tmp_path, "lm")
    places = ("tokenizer_dir", "latents_dir", "valid_latents_dir")
    with pytest.raises(ConfigError, match="kind vq for latents; expected codes"):
        run_generator(vq.model_copy(update={name: getattr(lm, name) for name in places}))
    other = tmp_path / "others"
    write_latents(other, lm.tokenizer_dir)
    meta = json.loads((other / "meta.json").read_text())
    meta["modality"]["class_names"] = ["boot", "shirt", "bag"]
    (other / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match="or their names differ; expected the same list of both"):
        run_generator(lm.model_copy(update={"valid_latents_dir": str(other)}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_equals_a_whole_one(kind: str, tmp_path: Path) -> None:
    """Bit for bit: weights, averages and moments; and the model directory draws."""
    whole = train_tiny(tmp_path, kind, max_steps=4)
    parts = tmp_path / "parts"
    for steps in (2, 4):
        run = tiny_run(tmp_path, kind, max_steps=steps)
        run_generator(run.model_copy(update={"exp_dir": parts}))
    for part in ("model", "ema", "optimizer"):
        name = f"checkpoints/step_00000004/{part}.safetensors"
        one, other = load_file(whole.exp_dir / name), load_file(parts / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    log = [json.loads(line) for line in (parts / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "train/loss" in line] == [1, 2, 3, 4]
    assert any("valid/loss" in line for line in log)

    pack_generator(parts, tmp_path / "model")
    model = load_generator(tmp_path / "model")
    assert model.config.class_names == CLASS_NAMES
    if kind != "vq":
        statistics = LatentShards(whole.latents_dir).statistics()
        expected = one_scale(*statistics)
        torch.testing.assert_close(model.generator.normalizer.mean, expected[0])
        torch.testing.assert_close(model.generator.normalizer.std, expected[1])
    painter = load(tmp_path / "model")
    few = {"num_rounds": 3} if kind == "mar" else {}
    pictures = painter.sample("Ankle-Boot", num=2, seed=1, **few)
    assert pictures.pixels.shape == (2, 3, 16, 16)
    again = painter.sample(1, num=1, seed=1, **few)
    torch.testing.assert_close(again.pixels[0], pictures.pixels[0], rtol=1e-4, atol=1e-4)
    assert float((pictures.pixels[0] - pictures.pixels[1]).abs().max()) > 1e-4


def test_the_seed_and_the_class_stand_in_the_file(tmp_path: Path) -> None:
    run = train_tiny(tmp_path, "lm", max_steps=2)
    pack_generator(run.exp_dir, tmp_path / "model")
    told: list[tuple[int, int]] = []
    painter = load(tmp_path / "model")
    pictures = painter.sample(
        "sneaker", num=3, seed=5, advance=lambda *done: told.append(done), num_steps=2
    )
    pictures.save(tmp_path / "grid.png")
    assert told == [(number + 1, 16) for number in range(16)]
    assert read_picture(tmp_path / "grid.png").size == (34, 34)
    comment = read_provenance(tmp_path / "grid.png")["Comment"]
    assert "model model: class sneaker, seed 5, num_steps 2" in comment
    with pytest.raises(ConfigError, match="num is 0; expected at least 1 picture"):
        painter.sample("sneaker", num=0)
    assert len(painter.sample(None, num_steps=1)) == 1


def test_damaged_and_missing_models_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATENTVISION_MODEL", raising=False)
    run = train_tiny(tmp_path, "dit", max_steps=2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.yaml").write_text((run.exp_dir / "config.yaml").read_text())
    with pytest.raises(CheckpointError, match="has no checkpoint; train there first"):
        pack_generator(tmp_path / "empty", tmp_path / "none")
    pack_generator(run.exp_dir, tmp_path / "model")
    other = make_tokenizer_directory(tmp_path, seed=3)
    weights = tmp_path / "model" / "tokenizer" / "model.safetensors"
    weights.write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="pack the model with the tokenizer it was trained"):
        load_generator(tmp_path / "model")
    with pytest.raises(CheckpointError, match="holds a model of kind 'image_tokenizer'"):
        load_generator(other)
    with pytest.raises(CheckpointError, match="no model directory at nowhere"):
        load_generator(find_generator("nowhere"))
    monkeypatch.setenv("LATENTVISION_MODEL", str(tmp_path / "model"))
    assert find_generator() == tmp_path / "model"


def test_classes_are_found_by_name_and_number() -> None:
    for label in ("sneaker", "Sneaker ", "0", 0):
        assert class_number(label, CLASS_NAMES) == 0
    assert class_number("T_Shirt", CLASS_NAMES) == 2
    assert class_number("t/shirt", CLASS_NAMES) == 2  # as a folder of samples may be called
    with pytest.raises(InputError, match=r"no class 'sneeker'; did you mean 'sneaker'\?"):
        class_number("sneeker", CLASS_NAMES)
    with pytest.raises(InputError, match="no class '3'; expected a number below 3 or one of snea"):
        class_number(3, CLASS_NAMES)
    with pytest.raises(InputError, match="no class 'zzz'; expected a number below 3 or one of"):
        class_number("zzz", CLASS_NAMES)
