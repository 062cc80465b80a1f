"""`latentspeech voice`: a recording turned into a portable voice file."""

from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import CodecOption, JsonOption, QuietOption, report

app = typer.Typer(no_args_is_help=True, help="Make voice files.")


@app.callback()
def _group() -> None:
    """Make voice files."""


@app.command("export")
def export(
    recording: Annotated[Path, typer.Argument(help="Recording of the voice, 0.5-30 s.")],
    target: Annotated[Path, typer.Argument(help="Voice file to write, .safetensors.")],
    prompt_text: Annotated[str | None, typer.Option(help="What the recording says.")] = None,
    model: CodecOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a recording into a voice file that every model on the same codec can use."""
    from latentspeech.codec.model_directory import codec_hash, find_codec, load_codec
    from latentspeech.tts.prompt import encode_prompt, save_voice

    directory = find_codec(model)
    codec = load_codec(directory)
    prompt = encode_prompt(codec, codec_hash(directory), recording, prompt_text)
    save_voice(prompt, target)
    seconds = len(prompt.latents) / codec.config.frame_rate
    values = {"out": str(target), "duration_s": seconds, "codec_hash": prompt.codec_hash}
    report(values, f"{target}: a voice of {seconds:.1f} s", as_json, quiet)
