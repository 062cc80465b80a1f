"""pocket-tts 2.1 without its weights: the English config, random weights, a local tokenizer.

Speed does not depend on the weights. The tokenizer is a sentencepiece model of the size that the
config asks for. It is trained on English text that comes with Python and on the sentence to speak,
so that the words of this sentence become single pieces, as in the real tokenizer. Random weights
would stop at random, so the stop decision is switched off and the number of frames is fixed.
"""

import importlib.metadata
import importlib.util
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sentencepiece
import yaml
from torch import Tensor

if TYPE_CHECKING:
    from pocket_tts import TTSModel

VERSION = "2.1"
INSTALL = f"pip install 'pocket-tts=={VERSION}.*'"
SENTENCE_WEIGHT = 100  # number of times that the sentence occurs in the tokenizer's text


def missing() -> str | None:
    """Returns an error text if the right version of pocket-tts is not installed, else None."""
    try:
        found = importlib.metadata.version("pocket-tts")
    except importlib.metadata.PackageNotFoundError:
        return f"pocket-tts is not installed; {INSTALL}"
    if found.split(".")[:2] != VERSION.split("."):
        return f"pocket-tts is {found}, expected {VERSION}; {INSTALL}"
    return None


def write_config(folder: Path, sentence: str, name: str = "english") -> Path:
    """Writes a config without weights, and a tokenizer; does not import pocket-tts."""
    package = importlib.util.find_spec("pocket_tts")
    assert package is not None
    assert package.origin is not None
    config_file = Path(package.origin).parent / "config" / f"{name}.yaml"
    config: dict[str, Any] = yaml.safe_load(config_file.read_text("utf-8"))
    table = config["flow_lm"]["lookup_table"]
    table["tokenizer_path"] = str(_train_tokenizer(folder, sentence, table["n_bins"]))
    config |= {"weights_path": None, "weights_path_without_voice_cloning": None}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _train_tokenizer(folder: Path, sentence: str, size: int) -> Path:
    from pydoc_data.topics import topics

    lines = [line for topic in topics.values() for line in topic.splitlines()]
    path = folder / "tokenizer.model"
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
    from pocket_tts import TTSModel

    logging.getLogger("pocket_tts").setLevel(logging.ERROR)  # it warns about missing weights
    model = TTSModel.load_model(config=config, eos_threshold=float("inf"))
    frames = max(1, round(audio_s * model.config.mimi.frame_rate))
    model._estimate_max_gen_len = lambda token_count: frames
    return model


def speaker(model: "TTSModel", sentence: str, voice: Tensor) -> Callable[[], Iterator[Tensor]]:
    """Encodes a voice (1, T) and returns a function that speaks the sentence in it."""
    state = model.get_state_for_audio_prompt(voice)
    tokens = model.flow_lm.conditioner.tokenizer(sentence).tokens.shape[1]
    # Two more tokens for a full stop that pocket-tts may add, so that it does not split the text.
    return lambda: model.generate_audio_stream(state, sentence, max_tokens=tokens + 2)
