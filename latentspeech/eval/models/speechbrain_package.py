"""SpeechBrain, imported without the redirections that it leaves behind.

Its old module names stay in `sys.modules` as objects that import their target when anything is
asked of them, and some targets need packages that are absent. Whatever walks over the loaded
modules (inspect, test libraries) then fails with an ImportError that has nothing to do with it.
"""

import sys

from latentspeech.core.eval.scorer import require_packages


def import_speechbrain(metric: str) -> None:
    """Imports the package and forgets its old names; MetricUnavailable if it is not installed."""
    require_packages(metric, {"speechbrain": "speechbrain"})
    from speechbrain.utils.importutils import DeprecatedModuleRedirect

    for name, module in list(sys.modules.items()):
        if isinstance(module, DeprecatedModuleRedirect):
            del sys.modules[name]
