"""Writes RESULTS.md and an HTML page: Table 5 with our rows, sizes and speeds, mel variants."""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.eval.paper_tables.table import load_paper_table
from latentspeech.eval.page.report import write_html
from recipes.codec_benchmark.benchmark import codec_names
from recipes.codec_benchmark.results import (
    list_line,
    mel_table,
    quality_table,
    read_all,
    speed_table,
)
from recipes.lib.results_file import write_results


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codecs", required=True)
    parser.add_argument("--ours", default="")
    parser.add_argument("--metrics", required=True)
    parser.add_argument("--exp_dir", type=Path, required=True)
    parser.add_argument("--command", default="")
    arguments = parser.parse_args()
    folder: Path = arguments.exp_dir
    facts, reports = read_all(codec_names(arguments.codecs, arguments.ours), folder)
    tables = [quality_table(load_paper_table(5), facts, reports), speed_table(facts)]
    if (variants := mel_table(reports)) is not None:
        tables.append(variants)
    text = "\n".join(table.to_markdown() for table in tables)
    write_results(folder / "RESULTS.md", arguments.command, [list_line(folder)], text, [])
    write_html(reports, folder / "page.html", title="Speech codecs", tables=tables)


if __name__ == "__main__":
    run_recipe(main)
