"""`latentspeech compare`: tells whether a difference between two systems may be chance."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import JsonOption


def compare(
    a: Annotated[Path, typer.Argument(help="Report of the first system (.json).")],
    b: Annotated[Path, typer.Argument(help="Report of the second, on the same utterances.")],
    metric: Annotated[
        list[str] | None, typer.Option(help="May be repeated. Default: all that both have.")
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare only the utterances that both have scored.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare two reports of `score`, utterance by utterance: difference, interval, p-value."""
    from latentspeech.core.errors import DataError
    from latentspeech.core.eval.comparison import compare as compare_reports
    from latentspeech.core.eval.comparison import markdown
    from latentspeech.core.eval.report import EvalReport
    from latentspeech.eval.metrics.catalogue import make_scorer

    first, second = EvalReport.read(a), EvalReport.read(b)
    measured = [{m.name for m in report.metrics if m.num_scored} for report in (first, second)]
    names = metric or [m.name for m in first.metrics if m.name in measured[0] & measured[1]]
    if not names:
        raise DataError(f"{a} and {b} have no metric in common; score both by the same ones")
    found = [
        compare_reports(first, second, name, make_scorer, common_only=common, seed=seed)
        for name in names
    ]
    if as_json:
        print(json.dumps([asdict(comparison) for comparison in found]))
    else:
        names_of = first.item_name, first.group_name
        print(markdown(found, (a.name, b.name), *names_of), end="")
