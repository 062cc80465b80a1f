"""The table of one language model on codecs of several noises, and the codecs themselves."""

import json
import math
from pathlib import Path

import pytest

from latentspeech.core.config import load_config
from latentspeech.core.errors import DataError
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import write_json
from latentspeech.training.codec_run import CodecRunConfig
from recipes.codec.noise_table import last_log_ratio, table
from tests.unit.recipes.shell import ROOT, run_bash
from tests.unit.recipes.tts.test_published_rows import metric, report

CONFIGS = sorted((ROOT / "egs/mini/conf/noise").glob("codec_*.yaml"))


def test_a_run_has_a_row_of_speech_and_one_of_copies(tmp_path: Path) -> None:
    folder = tmp_path / "050"
    for name in ("codec", "codec_check", "scores"):
        (folder / name).mkdir(parents=True)
    config = (ROOT / "egs/mini/conf/noise/codec_050.yaml").read_text()
    base = ROOT / "egs/mini/conf/ablations/codec_base.yaml"
    (folder / "codec/config.yaml").write_text(
        config.replace("../ablations/codec_base.yaml", str(base))
    )
    ratios = [{"step": step, "valid/log_std_mu_over_sigma": step / 100} for step in (50, 110)]
    lines = [json.dumps(row) for row in [*ratios, {"step": 120, "train/mel_l1": 1.0}]]
    (folder / "codec/metrics.jsonl").write_text("\n".join(lines))
    write_report(report(metric("mel-dac-class", "Mel", 0.9)), folder / "codec_check/scores.json")
    spoken, copied = (report(metric("wer-w", "WER-W", value, "%")) for value in (9.0, 4.0))
    scores = {"synthesis": spoken.to_dict(), "codec copies": copied.to_dict()}
    write_json(folder / "scores/scores.json", scores)
    _, _, speech, copies = table(tmp_path, ["050"])
    assert speech.startswith("| 050 | 0.500 | 1.10 | synthesis | - | - | 9.000 (")
    assert copies.startswith("| 050 | 0.500 | 1.10 | codec copies | 0.900 (")
    assert "| 4.000 (" in copies
    (folder / "codec/metrics.jsonl").write_text("")
    with pytest.raises(DataError, match="expected a finished training"):
        last_log_ratio(folder / "codec")


def test_the_codecs_differ_in_noise_at_one_std_of_the_means() -> None:
    stds = {}
    for path in CONFIGS:
        run = load_config(CodecRunConfig, path)
        assert run.loss.log_sigma_ratio is not None
        stds[path.stem] = math.exp(run.loss.log_sigma_ratio) * run.codec.posterior.mean_abs_sigma
    assert stds.pop("codec_075_equal_ratio") == pytest.approx(2.25, rel=2e-3)
    assert len(stds) == 4
    assert all(std == pytest.approx(1.5, rel=2e-3) for std in stds.values())


def test_the_command_lists_the_runs_and_names_what_is_missing(tmp_path: Path) -> None:
    helped = run_bash("bash egs/mini/local/run_noise.sh --help")
    assert helped.returncode == 0
    assert "075_equal_ratio" in helped.stdout
    missing = run_bash(f"bash egs/mini/local/run_noise.sh --data_dir {tmp_path}")
    assert missing.returncode == 2
    assert f"no file {tmp_path}/cuts_train.jsonl.gz" in missing.stderr
    unknown = run_bash("bash egs/mini/local/run_noise.sh --runs 100")
    assert "no codec '100'" in unknown.stderr
