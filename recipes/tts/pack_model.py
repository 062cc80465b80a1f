"""Packs a TTS run with tokenizer and codec into a model directory, by default its averaged weights.

Scores, if given, go into the model card and, with `--results`, into RESULTS.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.config import load_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.lora import add_lora, merge_lora
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.train.state.averaged_weights import (
    Provenance,
    Weights,
    load_averaged,
    training_state,
)
from latentspeech.text.tokenizers import load_tokenizer
from latentspeech.training.tts_run import TTSRunConfig
from latentspeech.tts.model import latent_lm_config
from latentspeech.tts.model_directory import save_tts
from recipes.lib.results_file import read_table
from recipes.tts.published_rows import OURS, setting_title
from recipes.tts.test_set.test_items import SETTINGS

LIMITS = """## Limits

English alone; the voices, texts and recording conditions of the data above, and nothing like the
hours that a product voice needs. The table above says how well it speaks.

## Not for

Speaking in the voice of a person who has not agreed, deceiving anyone about who speaks, or any use
in which a misread word does harm.
"""


def pack_model(
    exp_dir: Path,
    out: Path,
    data: str,
    scores: str,
    copy_codec: bool = True,
    before: Sequence[Path] = (),
    weights: Weights = "ema",
) -> Provenance:
    """Writes the newest checkpoint of the TTS run in `exp_dir` as the model directory `out`.

    Adapters are merged into the weights. `before` are the runs that it started from, the earliest
    first.
    """
    run = load_config(TTSRunConfig, exp_dir / "config.yaml")
    codec = load_codec_module(run.codec_dir)
    tokenizer = load_tokenizer(run.tokenizer_dir)
    latent_dim, longest = codec.config.latent_dim, run.data.max_prompt_s
    lm = LatentLM(
        latent_lm_config(run.model, tokenizer.vocab_size, latent_dim, longest, run.sampling)
    )
    if run.lora is not None:
        add_lora(lm, run.lora)
    provenance = Provenance("TTS run", load_averaged(exp_dir, lm, "model", weights))
    if run.lora is not None:
        merge_lora(lm)
    out.parent.mkdir(parents=True, exist_ok=True)
    runs = [
        Provenance(f"TTS run {number}", training_state(path))
        for number, path in enumerate(before, start=1)
    ]
    card = tts_card(lm, run.sampling, [*runs, provenance], data, scores, copy_codec, weights)
    save_tts(lm, run.tokenizer_dir, run.codec_dir, out, card, copy_codec)
    return provenance


def tts_card(
    lm: LatentLM,
    sampling: SamplingConfig,
    runs: Sequence[Provenance],
    data: str,
    scores: str,
    copy_codec: bool,
    weights: Weights = "ema",
) -> str:
    """The model card."""
    backbone = lm.config.backbone
    codec = "the codec is in codec/" if copy_codec else "the codec is the one that ships"
    millions = sum(parameter.numel() for parameter in lm.parameters()) / 1e6
    kind = "Averaged weights" if weights == "ema" else "Weights"
    training = "\n".join(f"- {run.line()}" for run in runs)
    return (
        f"# LatentLM text-to-speech\n\n"
        f"{millions:.1f} million parameters, "
        f"{backbone.num_layers} layers "
        f"of width {backbone.model_dim}; {codec}, the tokenizer in tokenizer/. Unless a command "
        f"asks for something else it is sampled with CFG scale {sampling.cfg_scale:g}, "
        f"{sampling.num_steps} solver steps and noise of scale {sampling.noise_scale:g}.\n\n"
        f"## Use\n\n```bash\nlatentspeech synth --model DIR --prompt ref.wav "
        f'--text "The tide comes in."\n```\n\n'
        f"## Training\n\n{kind} of the last step:\n\n{training}\n\n"
        f"## Data and licence\n\n{data}\n\n## Measured\n\n"
        f"{scores or 'not yet'}\n\n{LIMITS}"
    )


def parse_scores(texts: Sequence[str]) -> dict[str, Path]:
    """Folders of score_test by setting; ConfigError for an unknown setting."""
    found: dict[str, Path] = {}
    for text in texts:
        setting, separator, folder = text.partition("=")
        if not separator:
            setting, folder = f"reference{OURS}", text
        if setting.removesuffix(OURS) not in SETTINGS or not folder or setting in found:
            raise ConfigError(
                f"--scores {text}: expected SETTING=FOLDER, each setting once, with the settings "
                f"{', '.join((*SETTINGS, *(name + OURS for name in SETTINGS)))}"
            )
        found[setting] = Path(folder)
    return found


def scores_text(codec_check: Path | None, folders: Mapping[str, Path]) -> str:
    """The tables of all scores, each under a line that names what was scored."""
    titled = {} if codec_check is None else {"The codec's copies": codec_check}
    titled |= {f"Speech, {setting_title(name)}": folder for name, folder in folders.items()}
    return "\n".join(
        f"{title}:\n\n{read_table(folder / 'scores.md')}" for title, folder in titled.items()
    )
