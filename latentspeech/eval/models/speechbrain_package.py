"""Imports SpeechBrain and removes the redirections that it leaves in `sys.modules`.

SpeechBrain keeps its old module names there as objects that import their target at the first
attribute access, and some targets need packages that are not installed. Code that walks over all
loaded modules (inspect, test libraries) then fails with an unrelated ImportError.
"""

import sys

from latentspeech.core.eval.scorer import require_packages


def import_speechbrain(metric: str) -> None:
    """Imports the package and removes its old names; MetricUnavailable if it is not installed."""
    require_packages(metric, {"speechbrain": "speechbrain"})
    from speechbrain.utils.importutils import DeprecatedModuleRedirect

    for name, module in list(sys.modules.items()):
        if isinstance(module, DeprecatedModuleRedirect):
            del sys.modules[name]
