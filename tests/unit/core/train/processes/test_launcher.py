import pytest
import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.train.processes.launcher import Launcher


def test_one_process_on_the_cpu():
    launcher = Launcher(devices=0, num_nodes=1, precision="32")
    assert (launcher.rank, launcher.world_size, launcher.device.type) == (0, 1, "cpu")
    assert launcher.is_main
    assert launcher.maximum(3) == 3
    assert launcher.gather("x") == ["x"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_absent_gpu_is_refused():
    with pytest.raises(ConfigError, match=r"devices = 1, but .* 0 CUDA devices; set devices: 0"):
        Launcher(devices=1, num_nodes=1, precision="32")


def test_several_processes_need_torchrun():
    with pytest.raises(ConfigError, match="torchrun --nnodes 2 --nproc_per_node 1"):
        Launcher(devices=0, num_nodes=2, precision="32")


def test_torchrun_that_does_not_fit_is_refused(monkeypatch):
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "LOCAL_WORLD_SIZE": "2",
        "WORLD_SIZE": "4",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="set num_nodes to torchrun's --nnodes"):
        Launcher(devices=0, num_nodes=1, precision="32")
