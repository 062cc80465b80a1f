"""`latentvision score`: measures drawn or copied pictures, by themselves or against real ones."""

import os
from pathlib import Path
from typing import Annotated

import typer

from latentvision.cli.options import JsonOption, QuietOption

DEFAULT_METRICS = "fd-efficientnet,kid-efficientnet,precision-efficientnet,recall-efficientnet"


def score(
    samples: Annotated[
        Path | None,
        typer.Argument(
            help="Pictures under test: a folder (flat, or one for each class), a folder of tar or "
            "Parquet files, a .npz or .safetensors of images, or a .yaml of a source."
        ),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Real pictures, or the originals of copies, likewise.")
    ] = None,
    reference_statistics: Annotated[
        Path | None,
        typer.Option(
            help="For fid, instead: .npz with mu and sigma of the reference, such as ADM's."
        ),
    ] = None,
    metrics: Annotated[
        str, typer.Option(help="Comma-separated names; --list-metrics shows them.")
    ] = DEFAULT_METRICS,
    classifier: Annotated[
        Path | None, typer.Option(help="Directory of a classifier, for the metrics of classes.")
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(min=1, help="Side of all images, pixels. Default: that of the first sample."),
    ] = None,
    max_samples: Annotated[
        int | None, typer.Option(min=1, help="Use the first samples only.")
    ] = None,
    max_reference: Annotated[
        int | None, typer.Option(min=1, help="Use the first pictures of the reference only.")
    ] = None,
    neighbours: Annotated[
        Path | None,
        typer.Option(help="PNG to write: samples beside the nearest training pictures."),
    ] = None,
    training: Annotated[
        Path | None, typer.Option(help="Training pictures, for --neighbours.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the report here (.json, and .md).")
    ] = None,
    device: Annotated[str, typer.Option(help="Device of networks: auto, cpu, cuda, cuda:N.")] = (
        "auto"
    ),
    seed: Annotated[int, typer.Option(help="Seed of intervals, subsets and samples shown.")] = 0,
    download: Annotated[
        bool, typer.Option("--download", help="Allow weights to be downloaded.")
    ] = False,
    list_metrics: Annotated[
        bool, typer.Option("--list-metrics", help="List what can be measured here, and end.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score pictures. The report names pictures and metrics that fail; the exit code is then 1."""
    from latentspeech.core.command import counted_progress, show_metrics, show_scores
    from latentspeech.core.device import choose_device
    from latentspeech.core.errors import ConfigError
    from latentspeech.core.eval.report_markdown import render
    from latentspeech.core.eval.weights import DOWNLOAD_VARIABLE
    from latentvision.eval.catalogue import METRICS
    from latentvision.eval.request import ScoreRequest, score_request

    if download:
        os.environ[DOWNLOAD_VARIABLE] = "1"
    if list_metrics:
        from latentvision.eval.tools import check_metrics

        missing = check_metrics(classifier)
        rows = ((name, METRICS[name].about, reason) for name, reason in missing)
        show_metrics(rows, as_json, name_width=23)
        return
    if samples is None:
        raise ConfigError("no pictures given; expected a folder or file of samples to score")
    request = ScoreRequest(
        samples=samples,
        reference=reference,
        reference_statistics=reference_statistics,
        metrics=metrics,
        classifier=classifier,
        image_size=image_size,
        max_samples=max_samples,
        max_reference=max_reference,
        neighbours=neighbours,
        training=training,
        out=out,
        device=choose_device(device),
        seed=seed,
    )
    with counted_progress("scoring", quiet or as_json) as on_progress:
        report = score_request(request, on_progress)
    complete = not report.failures and not report.holes
    show_scores(report.to_dict, lambda: render(report), complete, as_json, quiet)
