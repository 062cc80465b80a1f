"""How a test set is spoken: as options, as a key of the made files, and in words for its list.

In the paper's protocols each utterance is drawn once and nothing follows the codec
(`AS_IN_THE_PAPER`). This project adds another draw where one came out wrong, a shortest time, and
the voice's equalizer; each is on unless an option turns it off, and the words say so.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.storage.model_directory import weights_hash
from latentspeech.text.reading import PLAIN
from latentspeech.tts.length_guard import (
    AS_IN_THE_PAPER,
    FASTEST_S_PER_CHARACTER,
    GUARDED,
    SLACK_S,
    SLOWEST_S_PER_CHARACTER,
    LengthGuard,
)
from latentspeech.tts.synthesizer import MAX_SENTENCE_CHARACTERS
from recipes.tts.test_set.sampling_options import (
    add_retries_option,
    add_sampling_options,
    sampling_of,
)
from recipes.tts.test_set.test_items import SETTINGS, Setting

# Version of the files in a folder of a test set; folders of another version are made anew.
FOLDER_VERSION = 3


@dataclass(frozen=True)
class Speaking:
    """How the test set is spoken."""

    sampling: SamplingConfig
    seed: int = 0
    with_text: bool = True  # the prompt's transcript is given to the model
    guard: LengthGuard = GUARDED
    equalizer: bool = True
    setting: Setting = "reference"

    def key(self, model: Path) -> dict[str, Any]:
        """Everything that the spoken audio depends on, except the texts."""
        return {
            "folder_version": FOLDER_VERSION,
            "model_hash": weights_hash(model),
            "sampling": self.sampling.model_dump(mode="json"),
            **self.guard.model_dump(),
            "equalizer": self.equalizer,
            "seed": self.seed,
            "prompt_text": self.with_text,
            "setting": self.setting,
        }

    def rule(self, case_rule: str) -> str:
        """All settings in words, for the list and its report.

        Args:
            case_rule: says how the tokenizer treats the case of texts.
        """
        is_plain = self.guard == AS_IN_THE_PAPER and not self.equalizer
        way = "without this project's additions" if is_plain else "in this project's way"
        parts = [
            f"spoken {way}",
            self._draws(),
            self._lengths(),
            "the voice's equalizer behind the codec" if self.equalizer else "no equalizer",
            self._sampling(),
            self._guidance(),
            f"text: {case_rule}",
        ]
        if self.setting == "reference":
            parts.append(f"prompts {'with' if self.with_text else 'without'} their transcript")
        return "; ".join(parts)

    def _draws(self) -> str:
        if not self.guard.retries:
            return "one draw, no retries"
        why = "where a draw was truncated or of no plausible length"
        return f"at most {self.guard.retries} retries {why}"

    def _lengths(self) -> str:
        longest = f"truncated at {SLACK_S:g} s + {SLOWEST_S_PER_CHARACTER:g} s a character"
        shortest = "no shortest length"
        if self.guard.min_length:
            shortest = f"at least {FASTEST_S_PER_CHARACTER:g} s a character"
        if self.setting == "prefix":
            return f"{longest}, {shortest}"
        return (
            f"{longest}, {shortest}; a sentence above {MAX_SENTENCE_CHARACTERS} characters in "
            f"pieces with {PLAIN.pauses.clause_s:g} s of pause"
        )

    def _sampling(self) -> str:
        one = self.sampling
        bias = f", stop bias {one.stop_bias:g}" if one.stop_bias else ""
        return (
            f"CFG scale {one.cfg_scale:g}, {one.num_steps} steps of {one.solver}, "
            f"noise {one.noise_scale:g}{bias}"
        )

    def _guidance(self) -> str:
        if self.sampling.cfg_scale == 1:
            return "no guidance"
        if self.setting == "prefix":
            return "guidance away from the given latents without the text"
        return "guidance away from no text and no prompt"


def add_speaking_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that `speaking_of` reads, without those of sampling."""
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no_prompt_text", action="store_true", help="prompt without transcript")
    parser.add_argument(
        "--no_equalizer", action="store_true", help="nothing follows the codec, as in the paper"
    )
    parser.add_argument(
        "--no_min_length",
        action="store_true",
        help="the model may end at once, as in the paper, whatever the length of the text",
    )
    add_retries_option(parser, GUARDED.retries)


def add_setting_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of sampling and --setting."""
    add_sampling_options(parser)
    parser.add_argument("--setting", choices=SETTINGS, default="reference")


def speaking_of(
    arguments: argparse.Namespace, sampling: SamplingConfig, setting: Setting = "reference"
) -> Speaking:
    """The Speaking that the options of `add_speaking_options` describe."""
    return Speaking(
        sampling,
        arguments.seed,
        not arguments.no_prompt_text,
        LengthGuard(retries=arguments.retries, min_length=not arguments.no_min_length),
        not arguments.no_equalizer,
        setting,
    )


def speaking_in_setting(arguments: argparse.Namespace, own: SamplingConfig) -> Speaking:
    """The Speaking that all options describe; `own` is the sampling of the model directory."""
    return speaking_of(arguments, sampling_of(arguments, own), arguments.setting)
