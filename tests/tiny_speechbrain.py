"""Tiny random SpeechBrain models, saved in the file formats of the published ones."""

import io
from pathlib import Path

import torch

WORDS = [
    "the quick brown fox jumps over the lazy dog",
    "pack my box with five dozen jugs",
    "sphinx of black quartz judge my vow",
]


def save_ecapa(folder: Path) -> None:
    """Saves in the format of speechbrain/spkrec-ecapa-voxceleb, with the recipe file.

    Use by SpeechBrain itself needs the recipe file.
    """
    from hyperpyyaml import load_hyperpyyaml

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hyperparams.yaml").write_text(_ECAPA_RECIPE)
    torch.manual_seed(3)
    modules = load_hyperpyyaml(_ECAPA_RECIPE)["modules"]
    for name in ("embedding_model", "classifier"):
        torch.save(modules[name].state_dict(), folder / f"{name}.ckpt")


def save_transducer(folder: Path) -> None:
    """Saves in the format of speechbrain/asr-streaming-conformer-librispeech."""
    import sentencepiece
    from hyperpyyaml import load_hyperpyyaml

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hyperparams.yaml").write_text(_TRANSDUCER_RECIPE)
    pieces = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS),
        model_writer=pieces,
        vocab_size=40,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "tokenizer.ckpt").write_bytes(pieces.getvalue())
    torch.manual_seed(4)
    recipe = load_hyperpyyaml(_TRANSDUCER_RECIPE)
    torch.save(recipe["model"].state_dict(), folder / "model.ckpt")
    statistics = {
        "count": 10,
        "glob_mean": torch.full((80,), -20.0),
        "glob_std": torch.full((80,), 10.0),
    }
    torch.save(statistics, folder / "normalizer.ckpt")


_ECAPA_RECIPE = """
n_mels: 80
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    channels: [16, 16, 16, 16, 48]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 8
    lin_neurons: 12
classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 12
    out_neurons: 3
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    classifier: !ref <classifier>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
        classifier: !ref <classifier>
"""

_TRANSDUCER_RECIPE = """
blank: 0
joint_dim: 24
d_model: 32
vocabulary: 40
compute_features: !new:speechbrain.lobes.features.Fbank
    sample_rate: 16000
    n_fft: 512
    n_mels: 80
    win_length: 32
normalize: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
CNN: !new:speechbrain.lobes.models.convolution.ConvolutionFrontEnd
    input_shape: (8, 10, 80)
    num_blocks: 2
    num_layers_per_block: 1
    out_channels: (4, 2)
    kernel_sizes: (3, 3)
    strides: (2, 2)
    residuals: (False, False)
Transformer: !new:speechbrain.lobes.models.transformer.TransformerASR.TransformerASR
    input_size: 40
    tgt_vocab: !ref <vocabulary>
    d_model: !ref <d_model>
    nhead: 2
    num_encoder_layers: 2
    num_decoder_layers: 0
    d_ffn: 48
    activation: !name:torch.nn.GELU
    encoder_module: conformer
    attention_type: RelPosMHAXL
    normalize_before: True
    causal: False
enc: !new:speechbrain.lobes.models.transformer.TransformerASR.EncoderWrapper
    transformer: !ref <Transformer>
proj_enc: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <d_model>
    n_neurons: !ref <joint_dim>
    bias: False
proj_dec: !new:speechbrain.nnet.linear.Linear
    input_size: 16
    n_neurons: !ref <joint_dim>
    bias: False
emb: !new:speechbrain.nnet.embedding.Embedding
    num_embeddings: !ref <vocabulary>
    consider_as_one_hot: True
    blank_id: !ref <blank>
dec: !new:speechbrain.nnet.RNN.LSTM
    input_shape: [null, null, !ref <vocabulary> - 1]
    hidden_size: 16
    num_layers: 1
    re_init: True
Tjoint: !new:speechbrain.nnet.transducer.transducer_joint.Transducer_joint
    joint: sum
    nonlinearity: !name:torch.nn.GELU
transducer_lin: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <joint_dim>
    n_neurons: !ref <vocabulary>
    bias: False
modules:
    CNN: !ref <CNN>
    enc: !ref <enc>
    emb: !ref <emb>
    dec: !ref <dec>
    Tjoint: !ref <Tjoint>
    transducer_lin: !ref <transducer_lin>
    normalize: !ref <normalize>
    proj_dec: !ref <proj_dec>
    proj_enc: !ref <proj_enc>
model: !new:torch.nn.ModuleList
    - - !ref <CNN>
      - !ref <enc>
      - !ref <emb>
      - !ref <dec>
      - !ref <proj_enc>
      - !ref <proj_dec>
      - !ref <transducer_lin>
tokenizer: !new:sentencepiece.SentencePieceProcessor
Greedysearcher: !new:speechbrain.decoders.transducer.TransducerBeamSearcher
    decode_network_lst: [!ref <emb>, !ref <dec>, !ref <proj_dec>]
    tjoint: !ref <Tjoint>
    classifier_network: [!ref <transducer_lin>]
    blank_id: !ref <blank>
    beam_size: 1
    nbest: 1
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        model: !ref <model>
        normalizer: !ref <normalize>
        tokenizer: !ref <tokenizer>
make_tokenizer_streaming_context:
    !name:speechbrain.tokenizers.SentencePiece.SentencePieceDecoderStreamingContext
tokenizer_decode_streaming:
    !name:speechbrain.tokenizers.SentencePiece.spm_decode_preserve_leading_space
make_decoder_streaming_context:
    !name:speechbrain.decoders.transducer.TransducerGreedySearcherStreamingContext
decoding_function:
    !name:speechbrain.decoders.transducer.TransducerBeamSearcher.transducer_greedy_decode_streaming
    - !ref <Greedysearcher>
fea_streaming_extractor: !new:speechbrain.lobes.features.StreamingFeatureWrapper
    module: !new:speechbrain.nnet.containers.LengthsCapableSequential
        - !ref <compute_features>
        - !ref <normalize>
        - !ref <CNN>
    properties: !apply:speechbrain.utils.filter_analysis.stack_filter_properties
        - [!ref <compute_features>, !ref <CNN>]
"""
