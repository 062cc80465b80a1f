"""Looks at a user's recordings one by one, says what is wrong, and makes a corpus of the rest.

    python -m recipes.fine_tune.00_check_data --data FOLDER --out CORPUS

With --strict any file that cannot be used is an error.
"""

import argparse
import logging
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from recipes.fine_tune.check_data import SHOWN, make_corpus

logger = logging.getLogger(__name__)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of recordings")
    parser.add_argument("--out", type=Path, required=True, help="corpus folder to write")
    parser.add_argument("--min_s", type=float, default=1.0, help="shortest recording, seconds")
    parser.add_argument("--max_s", type=float, default=20.0, help="longest recording, seconds")
    parser.add_argument("--strict", action="store_true", help="a file left out is an error")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = make_corpus(arguments.data, arguments.out, arguments.min_s, arguments.max_s)
    left_out = report["left_out"]
    assert isinstance(left_out, dict)
    for groups in (left_out, report["warnings"]):
        assert isinstance(groups, dict)
        for kind, names in groups.items():
            more = f", and {len(names) - SHOWN} more in report.json" if len(names) > SHOWN else ""
            logger.warning("%s: %d (%s%s)", kind, len(names), "; ".join(names[:SHOWN]), more)
    logger.info(
        "%d of %d recordings can be used; seconds by speaker: %s",
        report["usable"],
        report["recordings"],
        report["seconds_by_speaker"],
    )
    count = sum(len(names) for names in left_out.values())
    if arguments.strict and count:
        raise DataError(
            f"{count} files cannot be used ({', '.join(left_out)}); {arguments.out}/report.json "
            "names them: mend or remove them, or leave --strict away"
        )
    if not report["usable"]:
        raise DataError(
            f"none of {report['recordings']} recordings in {arguments.data} can be used "
            f"({', '.join(left_out)}); {arguments.out}/report.json says why"
        )


if __name__ == "__main__":
    run_recipe(main)
