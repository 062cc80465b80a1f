"""Learns a byte-level BPE from the text of all pages to train on."""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentvision.mllm.documents.config import open_pages
from latentvision.mllm.documents.page import Text
from latentvision.mllm.tokens.byte_bpe import ByteBPE
from recipes.mllm.page_set import KINDS, page_source

logger = logging.getLogger(__name__)


def texts_of(pages: Path) -> Iterator[str]:
    """The texts of all pages to train on."""
    for kind in KINDS:
        source = open_pages(page_source(pages, "train", kind))
        for number in range(source.num_shards):
            for index in source.shard(number):
                for part in source.page(index).parts:
                    if isinstance(part, Text):
                        yield part.text


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--size", type=int, required=True, help="most tokens")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    bpe = ByteBPE.train(texts_of(arguments.pages), arguments.size)
    bpe.save(arguments.out)
    num_bytes = num_tokens = 0
    for text in texts_of(arguments.pages):
        num_bytes += len(text.encode())
        num_tokens += len(bpe.encode(text))
    logger.info("%d tokens, %.2f bytes a token", bpe.size, num_bytes / max(num_tokens, 1))


if __name__ == "__main__":
    run_recipe(main)
