"""`latentspeech score`: measures a pair of files, two folders, lhotse cuts or a list."""

import os
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import JsonOption, QuietOption


def score(
    hyp: Annotated[
        Path | None, typer.Option(help="Audio under test: a file, or a folder (by id).")
    ] = None,
    ref: Annotated[Path | None, typer.Option(help="Original: a file or a folder.")] = None,
    list_file: Annotated[
        Path | None, typer.Option("--list", help="A list, .jsonl or .tsv (docs: protocols).")
    ] = None,
    cuts: Annotated[Path | None, typer.Option(help="lhotse cuts of the originals.")] = None,
    metrics: Annotated[
        str, typer.Option(help="Comma-separated names; --list-metrics shows them.")
    ] = "pesq,stoi,mel",
    prompt: Annotated[
        Path | None, typer.Option(help="Recording of the voice, for sim-*-o: a file or a folder.")
    ] = None,
    codec_prompt: Annotated[
        Path | None,
        typer.Option(help="The codec's copy of the prompt, for sim-*-r: a file or folder."),
    ] = None,
    transcript: Annotated[str | None, typer.Option(help="Text of a single file.")] = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="Texts of many: JSON lines with id and text.")
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder where a list's paths start. Default: the one it names."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the report here (.json, and .md).")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page to look at and listen to.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Reuse the scores of the report at --out.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Processes; each loads every model.")] = 1,
    device: Annotated[
        str,
        typer.Option(
            help="Device of networks: auto, cpu, cuda, cuda:N. Signal metrics use the CPU."
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap intervals.")] = 0,
    download: Annotated[
        bool, typer.Option("--download", help="Allow weights to be downloaded.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse pairs whose lengths differ by more than 2 %."),
    ] = False,
    list_metrics: Annotated[
        bool, typer.Option("--list-metrics", help="List what can be measured here, and end.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score audio. The report names files and metrics that fail; the exit code is then 1."""
    from latentspeech.core.command import counted_progress, show_metrics, show_scores
    from latentspeech.core.device import choose_device
    from latentspeech.core.eval.report_markdown import render
    from latentspeech.core.eval.weights import DOWNLOAD_VARIABLE
    from latentspeech.eval.page.report import check_page
    from latentspeech.eval.scoring.files import ScoreInputs
    from latentspeech.eval.scoring.run import score_inputs

    if download:
        os.environ[DOWNLOAD_VARIABLE] = "1"  # worker processes inherit it
    if list_metrics:
        from latentspeech.eval.scoring.availability import check_metrics

        show_metrics(((m.name, m.about, m.missing) for m in check_metrics()), as_json)
        return
    if html is not None:
        check_page(html)
    inputs = ScoreInputs(
        hypothesis=hyp,
        reference=ref,
        prompt=prompt,
        codec_prompt=codec_prompt,
        transcript=transcript,
        transcripts=transcripts,
        cuts=cuts,
        list_file=list_file,
        corpus=corpus,
    )
    with counted_progress("scoring", quiet or as_json) as on_progress:
        report = score_inputs(
            inputs,
            metrics.split(","),
            out=out,
            resume=resume,
            jobs=jobs,
            device=choose_device(device),
            seed=seed,
            strict=strict,
            on_progress=on_progress,
        )
    if html is not None:
        from latentspeech.eval.page.report import write_html

        write_html(report, html)
    complete = not report.failures and not report.holes
    show_scores(report.to_dict, lambda: render(report), complete, as_json, quiet)
