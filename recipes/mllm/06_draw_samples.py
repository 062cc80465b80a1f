"""Packs a model and draws captions of pairs kept aside, at each guidance scale.

A sample is OUT/cfg_SCALE/NUMBER.png. Its noise follows from the seed and its number, so a killed
run goes on with the samples that are missing.
"""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.storage.files import write_json
from latentspeech.core.storage.model_directory import weights_hash
from latentspeech.core.tensors import make_generator
from latentvision.generation.painter import BATCH_SIZE
from latentvision.images.writing import write_png
from latentvision.mllm.documents.config import open_pages
from latentvision.mllm.documents.page import Text
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.scores.text_losses import first_pages
from latentvision.training.pack_mllm import pack_page_model
from recipes.lib.progress_log import ProgressLog
from recipes.lib.result_folder import open_result_folder
from recipes.mllm.page_set import page_source
from recipes.mllm.samples import DRAWN, Drawing, sample_path, scale_folder


def captions_of(pages: Path, most: int) -> tuple[str, ...]:
    """The first captions of the pairs kept aside."""
    source = open_pages(page_source(pages, "valid", "pairs"))
    parts = (part for page in first_pages(source, most) for part in page.parts)
    return tuple(part.text for part in parts if isinstance(part, Text))


def draw_scale(writer: PageWriter, drawing: Drawing, scale: float, out: Path) -> None:
    """Draws the samples of a scale that are missing."""
    progress = ProgressLog(f"samples at cfg_scale {scale:g}", "pictures")
    numbers = range(len(drawing.captions))
    missing = [n for n in numbers if not sample_path(out, scale, n).exists()]
    scale_folder(out, scale).mkdir(parents=True, exist_ok=True)
    for start in range(0, len(missing), BATCH_SIZE):
        some = missing[start : start + BATCH_SIZE]
        generators = [make_generator(drawing.seed, "sample", number) for number in some]
        texts = [drawing.captions[number] for number in some]
        images = writer.draw_each(texts, generators, cfg_scale=scale)
        for number, text, image in zip(some, texts, images, strict=True):
            comment = f"{text!r}, cfg_scale {scale:g}, seed {drawing.seed}, number {number}"
            write_png(sample_path(out, scale, number), image, {"Comment": comment})
        progress(len(numbers) - len(missing) + start + len(some), len(numbers))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the training")
    parser.add_argument("--model", type=Path, required=True, help="model directory to write")
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--out", type=Path, required=True, help="folder of the samples")
    parser.add_argument("--cfg_scales", required=True, help="numbers, with spaces")
    parser.add_argument("--most", type=int, required=True, help="captions to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    a = parser.parse_args()
    pack_page_model(a.run, a.model)
    drawing = Drawing(
        cfg_scales=tuple(float(scale) for scale in a.cfg_scales.split()),
        captions=captions_of(a.pages, a.most),
        seed=a.seed,
        model_hash=weights_hash(a.model),
    )
    open_result_folder(a.out, {"model": drawing.model_hash, "seed": drawing.seed})
    writer = PageWriter.from_directory(a.model, choose_device(a.device))
    for scale in drawing.cfg_scales:
        draw_scale(writer, drawing, scale, a.out)
    write_json(a.out / DRAWN, drawing.model_dump(mode="json"))


if __name__ == "__main__":
    run_recipe(main)
