"""Has a model write pages that go from text to a picture to speech: files .png and .wav.

The texts are captions kept aside. The speech follows the text and the picture that the model drew.
"""

import argparse
from pathlib import Path

import latentspeech
from latentspeech.audio.io import write_audio
from latentspeech.codec.model_directory import codec_hash
from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.files import write_json
from latentvision.mllm.open_page import OpenPage
from latentvision.mllm.page_writer import PageWriter
from recipes.mllm.speech.speak_captions import read_pairs

INDEX = "pages.json"


def write_spoken_pages(
    writer: PageWriter, codec_dir: Path, texts: list[str], out: Path, seed: int
) -> None:
    """Writes NUMBER.png and NUMBER.wav of each text, then pages.json.

    Raises:
        CheckpointError: the model learned latents of another codec.
    """
    found, expected = codec_hash(codec_dir), writer.description.speech_codec_hash
    if found != expected:
        raise CheckpointError(
            f"{codec_dir} is codec {found}, and the model {writer.name} learned latents of "
            f"{expected or 'no codec'}; give the codec that encoded its speech"
        )
    codec = latentspeech.load_codec(codec_dir)
    rows = []
    for number, text in enumerate(texts):
        page = OpenPage(writer, seed + number)
        page.add_text(text)
        page.draw().save(out / f"{number:03d}.png")
        latents = page.speak().latents  # (T, D)
        audio = codec.decode(latents.numpy()[None])[0]
        comment = f"spoken by model {writer.name} after {text!r}, seed {seed + number}"
        write_audio(out / f"{number:03d}.wav", audio, codec.config.sample_rate, comment)
        rows.append({"text": text, "num_latents": len(latents)})
    write_json(out / INDEX, {"seed": seed, "pages": rows})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--codec", default="", help="codec; the one that ships if empty")
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--most", type=int, default=8, help="captions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    captions = list(dict.fromkeys(text for _, text in read_pairs(a.pages, "valid")))[: a.most]
    writer = PageWriter.from_directory(a.model, choose_device(a.device))
    write_spoken_pages(writer, latentspeech.find_codec(a.codec or None), captions, a.out, a.seed)


if __name__ == "__main__":
    run_recipe(main)
