"""How a recipe's program ends: a user's error is one line on stderr and exit code 2."""

import logging
import sys
from collections.abc import Callable

from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError


def run_recipe(main: Callable[[], None]) -> None:
    """Runs `main` with log lines on stderr."""
    logging.basicConfig(level=logging.WARNING, format="   %(message)s")
    for name in ("latentspeech", "recipes", "egs", "__main__"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        main()
    except (ConfigError, InputError, DataError, CheckpointError) as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)
