"""Prepares the folders that latents of training and validation cuts are extracted into."""

import logging
import shutil
from pathlib import Path

from latentspeech.codec.model_directory import codec_hash
from latentspeech.core.data.latent_format import read_meta
from latentspeech.core.errors import DataError
from latentspeech.data.cut_index import CutIndex
from latentspeech.data.shar import SharCorpus

logger = logging.getLogger(__name__)

PARTS = ("train", "dev")


def prepare(codec_dir: Path, cuts: Path, folder: Path) -> None:
    """Makes the folder; first removes one that another codec or other cuts have made."""
    corpus = SharCorpus(cuts).survey() if cuts.is_dir() else CutIndex(cuts)
    wanted = (codec_hash(codec_dir), corpus.cuts_hash)
    if folder.is_dir():
        try:
            meta = read_meta(folder)
            found = (meta.vae_hash, meta.source_hash)
        except DataError:
            found = ("", "")
        if found != wanted:
            logger.info("%s was made with another codec or corpus; it is made again", folder)
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
