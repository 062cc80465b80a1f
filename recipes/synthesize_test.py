"""Speaks the test set with a model directory, each utterance after one of the same speaker.

`--out` gets hyp/ (spoken), ref/ (the recordings of the same texts), prompt/ and items.jsonl.
"""

import argparse
import json
import logging
from pathlib import Path

from latentspeech.audio.io import write_audio
from latentspeech.codec.model_directory import codec_hash
from latentspeech.core.files import atomic_path
from latentspeech.core.tensors import derive_seed
from latentspeech.data.utterances import Utterance, load_utterance, read_utterances
from latentspeech.tts.synthesizer import DEFAULT_SAMPLING, Synthesizer
from recipes.evaluation_list import EvaluationItem, choose_evaluation_items
from recipes.one_line_errors import run_recipe
from recipes.result_folder import audio_path, open_result_folder

logger = logging.getLogger(__name__)


def speak_item(
    synthesizer: Synthesizer, item: EvaluationItem, out: Path, seed: int, with_text: bool
) -> dict[str, str]:
    """Speaks one item unless it was; returns its line of items.jsonl."""
    spoken = audio_path(out, "hyp", item.target.id)
    recording = _write_utterance(item.target, out, "ref", synthesizer.sample_rate)
    prompt_path = _write_utterance(item.prompt, out, "prompt", synthesizer.sample_rate)
    if not spoken.is_file():
        prompt = synthesizer.prompt(prompt_path, item.prompt.text if with_text else None)
        # Each utterance has noise of its own, whichever others are in the list.
        seed = derive_seed(seed, f"test/{item.target.id}") % 2**31
        synthesizer.synthesize(item.target.text, prompt, seed).save(spoken)
    return {
        "id": item.target.id,
        "text": item.target.text,
        "speaker": item.target.speaker,
        "hyp": str(spoken.relative_to(out)),
        "ref": str(recording.relative_to(out)),
        "prompt": str(prompt_path.relative_to(out)),
    }


def _write_utterance(utterance: Utterance, out: Path, kind: str, sample_rate: int) -> Path:
    path = audio_path(out, kind, utterance.id)
    if not path.is_file():
        write_audio(path, load_utterance(utterance, sample_rate), sample_rate)
    return path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="TTS model directory")
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max_items", type=int, default=100, help="0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no_prompt_text", action="store_true", help="prompt without transcript")
    arguments = parser.parse_args()
    items = choose_evaluation_items(read_utterances(arguments.cuts), arguments.max_items)
    key = {
        # The hash of the codec's weights file serves for any model directory.
        "model_hash": codec_hash(arguments.model),
        "sampling": DEFAULT_SAMPLING.model_dump(mode="json"),
        "seed": arguments.seed,
        "prompt_text": not arguments.no_prompt_text,
    }
    open_result_folder(arguments.out, key)
    synthesizer = Synthesizer.from_directory(arguments.model, arguments.device)
    with atomic_path(arguments.out / "items.jsonl") as temporary, temporary.open("w") as file:
        for number, item in enumerate(items, start=1):
            line = speak_item(
                synthesizer, item, arguments.out, arguments.seed, not arguments.no_prompt_text
            )
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            if number % 10 == 0 or number == len(items):
                logger.info("spoken %d of %d", number, len(items))


if __name__ == "__main__":
    run_recipe(main)
