"""`latentspeech score`: metrics of one pair of files, or of two folders file by file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import JsonOption, QuietOption


def score(
    hyp: Annotated[Path, typer.Option(help="Audio under test: a file or a folder.")],
    ref: Annotated[Path | None, typer.Option(help="Original: a file or a folder.")] = None,
    metrics: Annotated[
        str, typer.Option(help="Comma-separated, of pesq, stoi, mel, wer, sim.")
    ] = "pesq,stoi,mel",
    transcript: Annotated[str | None, typer.Option(help="Text of a single file, for wer.")] = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="Texts of many: JSON lines with id and text.")
    ] = None,
    json_out: Annotated[
        Path | None, typer.Option("--out", help="Also write the report here (.json, and .md).")
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score audio; a file that cannot be scored is reported by name and ends in exit code 1."""
    from latentspeech.cli.progress import counted_progress
    from latentspeech.eval.files import score_files

    with counted_progress("scoring", quiet or as_json) as on_progress:
        report = score_files(
            hyp,
            ref,
            metrics.split(","),
            transcript=transcript,
            transcripts=transcripts,
            on_progress=on_progress,
        )
    if json_out is not None:
        report.write(json_out)
    if as_json:
        print(json.dumps(report.to_dict()))
    elif not quiet:
        print(report.to_markdown(), end="")
    if report.failures:
        raise typer.Exit(1)
