"""Speaks the test set with a model directory, each utterance after one of the same speaker.

`--out` gets hyp/ (spoken), ref/ (the recordings of the same texts), prompt/, codec_prompt/ (the
codec's copies of the prompts), times/ and items.jsonl, a list that `latentspeech score --list`
reads. The time is that of writing latents and decoding them, after the prompt was encoded.
"""

import argparse
import json
import logging
import time
from pathlib import Path

import torch

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.codec.model import Codec
from latentspeech.core.files import write_json
from latentspeech.core.model_directory import weights_hash
from latentspeech.core.tensors import derive_seed
from latentspeech.data.utterances import Utterance, load_utterance, read_utterances
from latentspeech.eval.lists import ListInfo, ListRow, write_list
from latentspeech.eval.protocols.cut_utterances import (
    EvaluationItem,
    choose_evaluation_items,
    read_cut_sexes,
)
from latentspeech.eval.provenance import hardware
from latentspeech.tts.synthesizer import DEFAULT_SAMPLING, Synthesizer
from recipes.one_line_errors import run_recipe
from recipes.result_folder import audio_path, open_result_folder

logger = logging.getLogger(__name__)

# What the folder holds; another number and it is made anew.
FOLDER_VERSION = 2


def speak_item(
    synthesizer: Synthesizer,
    item: EvaluationItem,
    out: Path,
    seed: int,
    with_text: bool,
    sex: str | None = None,
) -> ListRow:
    """Speaks one item unless it was; returns its line of items.jsonl."""
    rate = synthesizer.sample_rate
    spoken = audio_path(out, "hyp", item.target.id)
    times = audio_path(out, "times", item.target.id).with_suffix(".json")
    recording = _write_utterance(item.target, out, "ref", rate)
    prompt_path = _write_utterance(item.prompt, out, "prompt", rate)
    copy_path = _write_copy(synthesizer.model.codec, prompt_path, out, item.prompt.id)
    if not (spoken.is_file() and times.is_file()):
        prompt = synthesizer.prompt(prompt_path, item.prompt.text if with_text else None)
        # Each utterance has noise of its own, whichever others are in the list.
        seed = derive_seed(seed, f"test/{item.target.id}") % 2**31
        started = time.perf_counter()
        audio = synthesizer.synthesize(item.target.text, prompt, seed)
        write_json(times, {"compute_s": time.perf_counter() - started})
        audio.save(spoken)
    return ListRow(
        id=item.target.id,
        hypothesis_path=spoken.relative_to(out).as_posix(),
        reference_path=recording.relative_to(out).as_posix(),
        prompt_path=prompt_path.relative_to(out).as_posix(),
        codec_prompt_path=copy_path.relative_to(out).as_posix(),
        transcript=item.target.text,
        prompt_text=item.prompt.text,
        speaker=item.target.speaker or None,
        sex=sex,
        duration_s=round(item.target.duration_s, 6),
        compute_s=json.loads(times.read_text(encoding="utf-8"))["compute_s"],
    )


def _write_utterance(utterance: Utterance, out: Path, kind: str, sample_rate: int) -> Path:
    path = audio_path(out, kind, utterance.id)
    if not path.is_file():
        write_audio(path, load_utterance(utterance, sample_rate), sample_rate)
    return path


@torch.inference_mode()
def _write_copy(codec: Codec, recording: Path, out: Path, utterance_id: str) -> Path:
    """The recording through the codec and back, by the posterior's means."""
    path = audio_path(out, "codec_prompt", utterance_id)
    if not path.is_file():
        rate = codec.config.sample_rate
        device = next(codec.parameters()).device
        audio = load_audio(recording, rate).to(device)  # (T,)
        copy = codec.decode(codec.encode(audio[None]), len(audio))[0]  # (T,)
        write_audio(path, copy.clamp(-1, 1), rate)
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
    with_text = not arguments.no_prompt_text
    key = {
        "folder_version": FOLDER_VERSION,
        "model_hash": weights_hash(arguments.model),
        "sampling": DEFAULT_SAMPLING.model_dump(mode="json"),
        "seed": arguments.seed,
        "prompt_text": with_text,
    }
    open_result_folder(arguments.out, key)
    synthesizer = Synthesizer.from_directory(arguments.model, arguments.device)
    sexes = read_cut_sexes(arguments.cuts)
    rows: list[ListRow] = []
    for number, item in enumerate(items, start=1):
        sex = sexes.get(item.target.id)
        rows.append(speak_item(synthesizer, item, arguments.out, arguments.seed, with_text, sex))
        if number % 10 == 0 or number == len(items):
            logger.info("spoken %d of %d", number, len(items))
    rule = "test cuts, each after the utterance before of the same speaker; one draw"
    info = ListInfo("synthesis", rule, hardware=f"{hardware()}; spoken on {arguments.device}")
    write_list(arguments.out / "items.jsonl", rows, info)


if __name__ == "__main__":
    run_recipe(main)
