"""The corpora that the paper's codec is trained on, one module a corpus: where its files lie."""
