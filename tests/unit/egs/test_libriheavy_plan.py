"""The plan's figures are counted again, and its documents hold what it says."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from latentspeech.codec.model import Codec
from latentspeech.core.config import load_config
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.training.codec_run import CodecRunConfig
from latentspeech.training.tts_run import TTSRunConfig
from latentspeech.tts.model import latent_lm_config
from tests.unit.recipes.shell import ROOT

CONF = ROOT / "egs" / "libriheavy/conf"


@pytest.mark.parametrize("reduction", [640, 1600, 3200, 6400])
def test_operations_and_settings_of_a_codec(libriheavy, reduction):
    plan = libriheavy("plan")
    run = load_config(CodecRunConfig, CONF / f"codec_{reduction}x.yaml")
    stated = plan.CODECS[reduction]
    assert (stated.frame_rate, stated.latent_dim) == (run.codec.frame_rate, run.codec.latent_dim)
    assert run.train.max_steps == plan.CODEC_STEPS
    assert run.data.segment_s * run.data.batch_size == plan.CODEC_STEP_S
    with torch.device("meta"), torch.no_grad():
        codec, audio = Codec(run.codec), torch.zeros(1, 8 * 24000)
        with FlopCounterMode(display=False) as counter:
            codec.decode(codec.encode(audio), audio.shape[1])
    assert counter.get_total_flops() / 8 / 2 == pytest.approx(stated.side_flop, rel=0.01)


def test_settings_of_the_tts(libriheavy):
    plan = libriheavy("plan")
    run = load_config(TTSRunConfig, CONF / "tts_1600x.yaml")
    assert run.train.max_steps == plan.TTS_STEPS
    assert 8 * run.train.accumulation * run.data.max_total_latents == plan.TTS_STEP_LATENTS
    assert run.model.diffusion.loss.num_noise_draws == plan.NUM_NOISE_DRAWS
    with torch.device("meta"):
        model = LatentLM(latent_lm_config(run.model, 2048, 32, 10.0))
    sizes = {name: sum(p.numel() for p in m.parameters()) for name, m in model.named_children()}
    assert sizes["backbone"] == pytest.approx(plan.BACKBONE, rel=0.01)
    assert sizes["diffusions"] == pytest.approx(plan.HEAD, rel=0.01)


def test_documents_hold_the_plans_tables(libriheavy):
    plan = libriheavy("plan")
    assert plan.plan_table() in (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    readme = (ROOT / "egs" / "libriheavy/README.md").read_text(encoding="utf-8")
    assert plan.stage_table(1600) in readme


def test_a_full_disk_and_an_absent_corpus_are_named_at_once(libriheavy, tmp_path, monkeypatch):
    check = libriheavy("check_corpus")
    problems = list(check.corpus_problems(tmp_path, tmp_path, "medium"))
    assert len(problems) == 4
    assert "unpack medium.tar" in problems[3]
    needs = {tmp_path / "exp": {"latents": 176e9, "models": 1e9}, tmp_path / "data": {"cuts": 2e9}}
    free = {"bytes": 178e9}
    usage = type(check.shutil.disk_usage("/"))
    monkeypatch.setattr(check.shutil, "disk_usage", lambda _: usage(10**12, 0, free["bytes"]))
    (problem,) = check.disk_problems(needs)
    assert "needs 179 GB (latents 176 GB, models 1 GB, cuts 2 GB), 178 GB free" in problem
    free["bytes"] = 180e9
    assert list(check.disk_problems(needs)) == []
