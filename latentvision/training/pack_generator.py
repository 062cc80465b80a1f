"""Makes a model directory of a run: the averaged weights of its newest checkpoint."""

from pathlib import Path

from latentspeech.core.config import load_config
from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.state.averaged_weights import load_averaged
from latentvision.generation.build import build_generator
from latentvision.generation.generator import ImageSampling
from latentvision.generation.model_directory import GeneratorConfig, save_generator
from latentvision.tokenizer.model_directory import load_tokenizer, tokenizer_hash
from latentvision.training.generator_run import GeneratorRunConfig, class_names, run_space


def pack_generator(
    exp_dir: Path, directory: Path, card: str = "", sampling: ImageSampling | None = None
) -> None:
    """Writes the run's model, with its tokenizer, into `directory`, which is replaced as a whole.

    Args:
        exp_dir: folder of the run.
        directory: the model directory to write.
        card: text of README.md; empty: a line about the training.
        sampling: how the model draws by default; None: as the run's configuration says.

    Raises:
        CheckpointError: the run has no checkpoint, or it does not fit the run's config.yaml.
    """
    run = load_config(GeneratorRunConfig, exp_dir / CONFIG_NAME)
    shards = LatentShards(run.latents_dir)
    tokenizer = load_tokenizer(run.tokenizer_dir)
    space = run_space(run.model, tokenizer, shards)
    model = build_generator(space, run.model)
    state = load_averaged(exp_dir, model)
    config = GeneratorConfig(
        space=space,
        model=run.model,
        class_names=class_names(shards),
        sampling=sampling or run.sampling,
        tokenizer_hash=tokenizer_hash(run.tokenizer_dir),
    )
    text = card or (
        f"# Generator of images, kind {run.model.kind}\n\nTrained for {state.step} steps in "
        f"{state.seconds / 3600:.2f} h on {state.world_size} process(es), commit "
        f"{state.git_commit or 'unknown'}; averaged weights.\n"
    )
    save_generator(model, config, run.tokenizer_dir, directory, text)
