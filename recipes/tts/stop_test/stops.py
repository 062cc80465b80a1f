"""Counts how often a model does not stop, or stops too soon, on sentences it was not trained on.

The sentences of the test cuts are spoken one by one after the prompts of synthesize_test, which are
other recordings of the same held-out voices. When all have been spoken, each is spoken again in the
voice of the next one, until there are `--num`. The number of latents gives the duration: nothing is
decoded.

A sentence is a *stop failure* if the model reached a limit of its length and was ended there (in
the layout `aligned`, at any symbol), a *runaway* if it took more than `--too_long` times, an *early
end* if it took less than `--too_short` times the duration that recipes.tts.expected_durations
expects. The recordings of the cuts are judged by the same rule, in the last row. `--out` gets
prompt/, NAME.json of each model (what it spoke), stops.json and stops.md; a killed run goes on
where it stopped.
"""

import argparse
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from latentspeech.audio.speech.speech_check import check_speech
from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.seeds import derive_seed
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.data.utterances import Utterance, load_utterance, read_utterances
from latentspeech.eval.protocols.cut_utterances import EvaluationItem, choose_evaluation_items
from latentspeech.text.normalizer import normalize
from latentspeech.text.sentences import split_sentences
from latentspeech.text.tokenizers import case_rule
from latentspeech.tts.length_guard import LengthGuard
from latentspeech.tts.model_directory import read_tts_config
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import MAX_SENTENCE_CHARACTERS, Synthesizer
from recipes.lib.results_file import provenance_lines, this_command
from recipes.tts.expected_durations import fit_duration_rule
from recipes.tts.stop_test.counts import (
    Judge,
    Row,
    SpokenSentence,
    as_spoken,
    examples,
    table,
    to_json,
)
from recipes.tts.test_set.sampling_options import (
    add_batch_option,
    add_device_option,
    add_retries_option,
    add_sampling_options,
    one_or_more,
    sampling_of,
)
from recipes.tts.test_set.speaking import Speaking
from recipes.tts.test_set.test_files import write_utterance
from recipes.tts.test_set.test_items import letters

logger = logging.getLogger(__name__)

_CHECK_RATE = 24000  # Hz, of prompts as they are checked


@dataclass(frozen=True)
class HeldOutSentence:
    """A sentence to speak and the prompt to speak it after."""

    id: str
    text: str  # normalised
    prompt: Utterance


@dataclass
class Voices:
    """Speaks sentences with one model; each prompt is encoded once."""

    synthesizer: Synthesizer
    speaking: Speaking
    out: Path
    _prompts: dict[str, Prompt] = field(default_factory=dict)

    def prompt(self, utterance: Utterance) -> Prompt:
        """A recording as a prompt; also writes it into `out` as synthesize_test does."""
        if utterance.id not in self._prompts:
            rate = self.synthesizer.sample_rate
            path = write_utterance(utterance, self.out, "prompt", rate)
            transcript = utterance.text if self.speaking.with_text else None
            self._prompts[utterance.id] = self.synthesizer.prompt(
                path, transcript, self.speaking.equalizer
            )
        return self._prompts[utterance.id]

    def speak(self, sentences: Sequence[HeldOutSentence]) -> list[SpokenSentence]:
        """Speaks sentences as one batch."""
        written = self.synthesizer.write_latents(
            [one.text for one in sentences],
            [self.prompt(one.prompt) for one in sentences],
            # The noise of a sentence does not depend on the other sentences.
            [derive_seed(self.speaking.seed, f"stop/{one.id}") % 2**31 for one in sentences],
            self.speaking.sampling,
            self.speaking.guard,
        )
        rate = self.synthesizer.model.codec.config.frame_rate
        return [
            SpokenSentence(
                id=sentence.id,
                text=sentence.text,
                voice=sentence.prompt.speaker,
                prompt=sentence.prompt.id,
                seconds=len(one.latents) / rate,
                truncated=one.truncated,
            )
            for sentence, one in zip(sentences, written, strict=True)
        ]


def with_accepted_prompts(items: Sequence[EvaluationItem]) -> list[EvaluationItem]:
    """The items without those whose prompt `synth` would refuse, such as a tone or a hiss."""
    accepted = []
    for item in items:
        audio = load_utterance(item.prompt, _CHECK_RATE)
        try:
            check_speech(audio.numpy(), _CHECK_RATE, item.prompt.id)
        except InputError as error:
            logger.info("left out as a prompt: %s", error)
        else:
            accepted.append(item)
    return accepted


def choose_sentences(
    items: Sequence[EvaluationItem], num: int, taught: Sequence[str] = ()
) -> list[HeldOutSentence]:
    """Chooses `num` sentences of the items' texts that the texts `taught` do not hold.

    Raises:
        DataError: `taught` holds all of them.
    """
    known = {letters(part) for text in taught for part in _sentences(text)}
    pool: list[HeldOutSentence] = []
    for item in items:
        for number, text in enumerate(_sentences(item.target.text)):
            if letters(text) and letters(text) not in known:
                known.add(letters(text))
                pool.append(HeldOutSentence(f"{item.target.id}#{number}", text, item.prompt))
    if not pool:
        raise DataError("every sentence of the test cuts is in the training cuts; give other cuts")
    logger.info("%d different sentences", len(pool))
    chosen = []
    for number in range(num):
        shift, place = divmod(number, len(pool))
        one, voice = pool[place], pool[(place + shift) % len(pool)]
        name = f"{one.id}@{shift}" if shift else one.id
        chosen.append(HeldOutSentence(name, one.text, voice.prompt))
    return chosen


def speak_all(
    voices: Voices, sentences: Sequence[HeldOutSentence], batch_size: int, path: Path, model: Path
) -> list[SpokenSentence]:
    """Speaks the sentences that `path` does not hold yet, and saves them there after each batch.

    Raises:
        DataError: the file at `path` was made with another model or other settings.
    """
    settings = voices.speaking.key(model)
    found = {(one.id, one.text, one.prompt): one for one in _read_spoken(path, settings)}
    keys = [(one.id, one.text, one.prompt.id) for one in sentences]
    waiting = [one for key, one in zip(keys, sentences, strict=True) if key not in found]
    # Rows of one batch should end together.
    waiting.sort(key=lambda sentence: len(sentence.text))
    for start in range(0, len(waiting), batch_size):
        spoken = voices.speak(waiting[start : start + batch_size])
        found.update({(one.id, one.text, one.prompt): one for one in spoken})
        values = [asdict(one) for one in found.values()]
        write_json(path, {"settings": settings, "sentences": values})
        num_left = max(0, len(waiting) - start - batch_size)
        logger.info("%s: spoken %d of %d", path.stem, len(sentences) - num_left, len(sentences))
    return [found[key] for key in keys]


def _read_spoken(path: Path, settings: dict[str, Any]) -> list[SpokenSentence]:
    if not path.is_file():
        return []
    values = json.loads(path.read_text(encoding="utf-8"))
    other = [name for name in settings if values["settings"].get(name) != settings[name]]
    if other:
        raise DataError(
            f"{path} is of another {', '.join(other)}; give another --out or remove the file"
        )
    return [SpokenSentence(**one) for one in values["sentences"]]


def parse_models(texts: Sequence[str]) -> dict[str, Path]:
    """{name: directory} of NAME=DIR texts; ConfigError for names that repeat or are not valid."""
    models: dict[str, Path] = {}
    for text in texts:
        name, separator, path = text.partition("=")
        if not separator or not re.fullmatch(r"[\w.-]+", name) or name in (*models, "stops"):
            raise ConfigError(f"--models {text}: give each directory a name of its own, NAME=DIR")
        models[name] = Path(path)
    return models


def write_summary(out: Path, judge: Judge, rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Writes stops.md and stops.json; returns the table."""
    text = table(judge, rows)
    found = [to_json(judge, row) for row in rows]
    write_json(out / "stops.json", {"rule": asdict(judge), "models": found})
    lines = [
        "# Stops",
        "",
        *provenance_lines(this_command("recipes.tts.stop_test.stops"), [*notes, judge.sentence()]),
        "",
        text,
        *(f"{examples(judge, row)}\n" for row in rows if examples(judge, row)),
    ]
    with atomic_path(out / "stops.md") as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return text


def _sentences(text: str) -> list[str]:
    return split_sentences(normalize(text), MAX_SENTENCE_CHARACTERS)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", required=True, help="NAME=DIR of TTS models")
    parser.add_argument("--cuts", type=Path, required=True, help="test cuts")
    parser.add_argument("--train_cuts", type=Path, help="cuts whose sentences are left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num", type=one_or_more, default=500, help="number of sentences")
    parser.add_argument("--too_long", type=float, default=2.0, help="times the expected duration")
    parser.add_argument("--too_short", type=float, default=0.6, help="times the expected duration")
    add_batch_option(parser)
    parser.add_argument("--seed", type=int, default=0)
    add_device_option(parser)
    parser.add_argument("--no_prompt_text", action="store_true", help="prompt without transcript")
    add_sampling_options(parser)
    add_retries_option(parser, 0)
    arguments = parser.parse_args()
    models, out, train_cuts = parse_models(arguments.models), arguments.out, arguments.train_cuts
    items = choose_evaluation_items(read_utterances(arguments.cuts), 0)
    prompted = with_accepted_prompts(items)
    taught = [] if train_cuts is None else [one.text for one in read_utterances(train_cuts)]
    sentences = choose_sentences(prompted, arguments.num, taught)
    recordings = [item.target for item in items]
    judge = Judge(fit_duration_rule(recordings), arguments.too_long, arguments.too_short)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    notes = []
    for name, directory in models.items():
        speaking = Speaking(
            sampling_of(arguments, read_tts_config(directory).sampling),
            arguments.seed,
            not arguments.no_prompt_text,
            LengthGuard(retries=arguments.retries),
            equalizer=False,  # nothing is decoded
        )
        voices = Voices(
            Synthesizer.from_directory(directory, choose_device(arguments.device)), speaking, out
        )
        path = out / f"{name}.json"
        spoken = speak_all(voices, sentences, arguments.batch_size, path, directory)
        rows.append(Row(name, voices.synthesizer.model.layout.kind, spoken))
        notes.append(f"{name}: {speaking.rule(case_rule(voices.synthesizer.model.tokenizer))}")
    rows.append(Row("recordings", None, as_spoken(recordings)))
    how = "left out" if train_cuts else "not looked for"
    notes += [
        f"sentences that are in the training cuts: {how}",
        f"utterances after a prompt that is refused as no speech, left out: "
        f"{len(items) - len(prompted)} of {len(items)}",
    ]
    print(write_summary(out, judge, rows, notes))


if __name__ == "__main__":
    run_recipe(main)
