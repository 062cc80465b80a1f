"""A tiny random NeMo Conformer-Transducer as a .nemo archive."""

from pathlib import Path

import torch

from tests.tiny_speechbrain import WORDS


def save_nemo(path: Path) -> None:
    """Saves in the format of nvidia/stt_en_conformer_transducer_xlarge.

    The tokenizer is left beside the archive.
    """
    import sentencepiece
    from nemo.collections.asr.models import EncDecRNNTBPEModel
    from omegaconf import OmegaConf

    path.parent.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS),
        model_prefix=str(path.parent / "tokenizer"),
        vocab_size=40,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    lines = (path.parent / "tokenizer.vocab").read_text().splitlines()
    (path.parent / "vocab.txt").write_text("\n".join(line.split("\t")[0] for line in lines))
    torch.manual_seed(6)
    model = EncDecRNNTBPEModel(cfg=OmegaConf.create(_config(path.parent)))
    model.save_to(str(path))


def _config(folder: Path) -> dict[str, object]:
    modules = "nemo.collections.asr.modules"
    return {
        "sample_rate": 16000,
        "compute_eval_loss": False,
        "log_prediction": False,
        "model_defaults": {"enc_hidden": 32, "pred_hidden": 24, "joint_hidden": 24},
        "tokenizer": {"dir": str(folder), "type": "bpe"},
        "preprocessor": {
            "_target_": f"{modules}.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16000,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "features": 80,
            "n_fft": 512,
            "pad_to": 0,
        },
        "encoder": {
            "_target_": f"{modules}.ConformerEncoder",
            "feat_in": 80,
            "feat_out": -1,
            "n_layers": 2,
            "d_model": 32,
            "subsampling": "striding",
            "subsampling_factor": 4,
            "subsampling_conv_channels": 32,
            "ff_expansion_factor": 2,
            "self_attention_model": "rel_pos",
            "n_heads": 2,
            "conv_kernel_size": 9,
        },
        "decoder": {
            "_target_": f"{modules}.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": 24, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.0},
        },
        "joint": {
            "_target_": f"{modules}.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "fused_batch_size": 1,
            "jointnet": {"joint_hidden": 24, "activation": "relu", "dropout": 0.0},
        },
        "decoding": {
            "strategy": "greedy_batch",
            "greedy": {"max_symbols": 10},
            "beam": {"beam_size": 2},
        },
        "loss": {"loss_name": "default"},
        "optim": {"name": "adamw", "lr": 1e-3},
    }
