"""`latentspeech voice`: lists the voices that ship, and turns recordings into voice files."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import CodecOption, JsonOption, QuietOption
from latentspeech.cli.transcript import find_transcript
from latentspeech.core.command import report

app = typer.Typer(no_args_is_help=True, help="List voices and make voice files.")


@app.callback()
def _group() -> None:
    """List voices and make voice files."""


@app.command("list")
def list_voices(as_json: JsonOption = False) -> None:
    """List the voices that ship; latentspeech/voices/README.md says whose they are."""
    from latentspeech.tts.prompt import load_voice
    from latentspeech.tts.voices import builtin_voices

    rows = [
        {"name": name, "path": str(path), "transcript": load_voice(path).transcript}
        for name, path in builtin_voices().items()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']}  {row['transcript'] or 'no transcript'}")


@app.command("export")
def export(
    recording: Annotated[Path, typer.Argument(help="Recording of the voice, best 3 to 10 s.")],
    target: Annotated[Path, typer.Argument(help="Voice file to write, .safetensors.")],
    prompt_text: Annotated[str | None, typer.Option(help="What the recording says.")] = None,
    model: CodecOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a recording into a voice file that every model on the same codec can use."""
    from latentspeech.codec.model_directory import codec_hash, find_codec
    from latentspeech.codec.runtime import load_codec
    from latentspeech.core.storage.files import check_target
    from latentspeech.tts.prompt import encode_prompt, save_voice

    check_target(target, suffix=".safetensors")
    directory = find_codec(model)
    codec = load_codec(directory)
    hear = partial(find_transcript, quiet=quiet or as_json)
    prompt = encode_prompt(codec, codec_hash(directory), recording, prompt_text, hear=hear)
    save_voice(prompt, target)
    seconds = len(prompt.latents) / codec.config.frame_rate
    values = {"out": str(target), "duration_s": seconds, "codec_hash": prompt.codec_hash}
    report(values, f"{target}: a voice of {seconds:.1f} s", as_json, quiet)
