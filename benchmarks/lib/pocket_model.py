"""pocket-tts without its weights: a config of the package, random weights, a local tokenizer.

Each version is installed in a folder of its own, because they exclude each other:

    pip install --no-deps --target FOLDER pocket-tts==4.0.1 beartype

Speed does not depend on the weights, unless they make numbers so small that a CPU takes far longer
for each (denormals); these are rounded to zero. The tokenizer is a sentencepiece model of the size
that the config asks for. It is trained on English text that comes with Python and on the sentence
to speak, so that the words of this sentence become single pieces, as in the real tokenizer. Random
weights would stop at random, so the stop decision is switched off and the number of frames is
fixed.
"""

import importlib.metadata
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sentencepiece
import yaml

if TYPE_CHECKING:
    from pocket_tts import TTSModel
    from torch import Tensor

CONFIGS = {
    "2.1": ("english",),
    "4.0": ("english_7m_2026-10", "english_2m_2026-10"),
}
SENTENCE_WEIGHT = 100  # number of times that the sentence occurs in the tokenizer's text


class PocketPackage(NamedTuple):
    """A version of pocket-tts in a folder of its own."""

    folder: Path
    version: str  # major and minor

    @property
    def configs(self) -> tuple[str, ...]:
        """The configs that are measured."""
        return CONFIGS[self.version]


def find_package(folder: Path) -> PocketPackage:
    """Finds the version in a folder; ValueError if it holds no known version."""
    found = [
        package.version
        for package in importlib.metadata.distributions(path=[str(folder)])
        if package.name == "pocket-tts"
    ]
    version = ".".join(found[0].split(".")[:2]) if found else ""
    if version not in CONFIGS:
        raise ValueError(
            f"{folder} holds pocket-tts {', '.join(found) or 'in no version'}; expected "
            f"{' or '.join(CONFIGS)}: pip install --no-deps --target FOLDER pocket-tts==4.0.1 "
            "beartype"
        )
    return PocketPackage(folder, version)


def write_config(package: PocketPackage, name: str, scratch: Path, sentence: str) -> Path:
    """Writes a config without weights, and a tokenizer; does not import pocket-tts."""
    source = package.folder / "pocket_tts" / "config" / f"{name}.yaml"
    config: dict[str, Any] = yaml.safe_load(source.read_text("utf-8"))
    path = scratch / f"{package.version}_{name}.yaml"
    table = config["flow_lm"]["lookup_table"]
    tokenizer = _train_tokenizer(path.with_suffix(".model"), sentence, table["n_bins"])
    table["tokenizer_path"] = str(tokenizer)
    config |= {"weights_path": None, "weights_path_without_voice_cloning": None}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _train_tokenizer(path: Path, sentence: str, size: int) -> Path:
    from pydoc_data.topics import topics

    lines = [line for topic in topics.values() for line in topic.splitlines()]
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines + [sentence] * SENTENCE_WEIGHT),
            model_writer=file,
            vocab_size=size,
            num_threads=1,
            model_type="bpe",
            minloglevel=2,
        )
    return path


def load(config: Path, audio_s: float) -> "TTSModel":
    """Makes the model with random weights; every sentence lasts `audio_s`."""
    import torch
    from pocket_tts import TTSModel

    torch.set_flush_denormal(True)  # threads that start later inherit it
    logging.getLogger("pocket_tts").setLevel(logging.ERROR)  # it warns about missing weights
    model = TTSModel.load_model(config=config, eos_threshold=float("inf"))
    frames = max(1, round(audio_s * model.config.mimi.frame_rate))
    model._estimate_max_gen_len = lambda token_count: frames
    return model


def speaker(model: "TTSModel", sentence: str, voice: "Tensor") -> "Callable[[], Iterator[Tensor]]":
    """Encodes a voice (1, T) and returns a function that speaks the sentence in it."""
    state = model.get_state_for_audio_prompt(voice)
    tokens = model.flow_lm.conditioner.tokenizer(sentence)
    count = getattr(tokens, "tokens", tokens).shape[1]  # version 2.1 has a class around them
    # Two more tokens for a full stop that pocket-tts may add, so that it does not split the text.
    return lambda: model.generate_audio_stream(state, sentence, max_tokens=count + 2)
