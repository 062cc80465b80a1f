"""`latentspeech testset`: writes the list of a published protocol for a corpus on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import JsonOption, QuietOption
from latentspeech.core.command import report

_SHOWN_MISSING = 10


def write_testset(
    name: Annotated[str, typer.Argument(help="Protocol; --list-protocols shows them.")] = "mini",
    corpus: Annotated[
        Path | None, typer.Option(help="Folder (or cuts file) of the corpus.")
    ] = None,
    out: Annotated[Path, typer.Option(help="List to write (.jsonl).")] = Path("list.jsonl"),
    task: Annotated[str | None, typer.Option(help="librispeech-4-10: reference or prefix.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="The published list, where there is one.")
    ] = None,
    num: Annotated[int, typer.Option(min=0, help="Utterances; 0 for all.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of a part of libritts-test-other.")] = 0,
    list_protocols: Annotated[
        bool, typer.Option("--list-protocols", help="List the protocols, and end.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a test list: what to speak or copy, and after which prompt.

    The list is the same on every machine. Audio that is missing or damaged is named, and the exit
    code is then 1.
    """
    from latentspeech.core.storage.files import check_target
    from latentspeech.eval.protocols.table import PROTOCOLS, make_testset
    from latentspeech.eval.protocols.testset import Options
    from latentspeech.eval.scoring.lists import write_list

    if list_protocols:
        for key, protocol in PROTOCOLS.items():
            print(f"{key:20} {protocol.about}")
        return
    check_target(out, suffix=".jsonl")
    audio = out.with_name(out.stem + "_audio")
    found = make_testset(name, corpus, Options(task, source, num, seed, audio))
    sha256 = write_list(out, found.rows, found.info)
    durations = [row.duration_s for row in found.rows if row.duration_s is not None]
    values = {
        "list": str(out),
        "protocol": found.info.protocol,
        "rule": found.info.rule,
        "num_utterances": len(found.rows),
        "num_speakers": len({row.speaker for row in found.rows if row.speaker is not None}),
        "hours": round(sum(durations) / 3600, 3),
        "sha256": sha256,
        "missing": found.missing,
    }
    text = (
        f"{out}: {found.info.protocol}, {values['num_utterances']} utterances, "
        f"{values['num_speakers']} speakers, {values['hours']} h, SHA-256 {sha256}"
    )
    report(values, text, as_json, quiet)
    if found.missing:
        _name_missing(found.missing)
        raise typer.Exit(1)


def _name_missing(missing: dict[str, str]) -> None:
    print(f"{len(missing)} utterance(s) left out of the list:", file=sys.stderr)
    for identifier, reason in list(missing.items())[:_SHOWN_MISSING]:
        print(f"- {identifier}: {' '.join(reason.split())}", file=sys.stderr)
    if len(missing) > _SHOWN_MISSING:
        print(f"- and {len(missing) - _SHOWN_MISSING} more, all in the info file", file=sys.stderr)
