"""The core serves every modality, so importing all of it loads no library of one."""

import pkgutil
import subprocess
import sys

import latentspeech.core

LIBRARIES = {"torchaudio", "soundfile", "librosa", "PIL", "torchvision", "lhotse", "typer"}


def test_importing_the_whole_core_loads_no_library_of_a_modality():
    names = [
        module.name
        for module in pkgutil.walk_packages(latentspeech.core.__path__, "latentspeech.core.")
    ]
    assert len(names) > 50
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "print('\\n'.join(sys.modules))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert set(names) <= loaded
    assert not LIBRARIES & loaded
    speech = {name for name in loaded if name.startswith("latentspeech.")} - set(names)
    assert speech <= {"latentspeech.core"}
