"""Makes a model directory of a run of a model of pages: its newest averaged weights."""

from pathlib import Path

from latentspeech.core.config import load_config
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.state.averaged_weights import Provenance, load_averaged
from latentvision.mllm.model_directory import PageModelDescription, save_page_model
from latentvision.mllm.models.build import build_page_model, space_of
from latentvision.mllm.models.sampling import PageSampling
from latentvision.tokenizer.model_directory import tokenizer_hash
from latentvision.training.mllm_run import PageRunConfig, open_tokenizers


def pack_page_model(
    exp_dir: Path, directory: Path, card: str = "", sampling: PageSampling | None = None
) -> None:
    """Writes the run's model, with its tokenizers, into `directory`, which is replaced as a whole.

    Args:
        exp_dir: folder of the run.
        directory: the model directory to write.
        card: text of README.md; empty: a line about the training.
        sampling: how the model draws by default; None: as the run's configuration says.

    Raises:
        CheckpointError: the run has no checkpoint, or it does not fit the run's config.yaml.
    """
    run = load_config(PageRunConfig, exp_dir / CONFIG_NAME)
    _, encoder, sequences = open_tokenizers(run)
    model = build_page_model(sequences.tokenizer.size, space_of(encoder), run.model)
    state = load_averaged(exp_dir, model)
    description = PageModelDescription(
        model=run.model,
        row_length=run.data.row_length,
        sampling=sampling or run.sampling,
        picture_tokenizer_hash=tokenizer_hash(run.picture_tokenizer_dir),
        reads_pictures=run.data.arrangement.pictures == "shown",
        speech_codec_hash=None if sequences.speech is None else sequences.speech.codec_hash,
    )
    line = Provenance("training", state).line()
    text = card or f"# Model of pages, kind {run.model.kind}\n\n{line}; averaged weights.\n"
    save_page_model(
        model, description, run.picture_tokenizer_dir, run.text_tokenizer, directory, text
    )
