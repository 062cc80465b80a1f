import pytest

from latentvision.mllm.pictures import TokenizerEncoder
from latentvision.mllm.sequence import PageSequences
from latentvision.mllm.tokens.byte_bpe import ByteBPE
from tests.tiny_tokenizer import make_tokenizer


@pytest.fixture(scope="session")
def sequences() -> PageSequences:
    """A small BPE, and pictures of 16 latents of 5 channels."""
    bpe = ByteBPE.train(["the cat sat on the mat", "a first page of text"] * 20, 280)
    return PageSequences(bpe, TokenizerEncoder(make_tokenizer()))
