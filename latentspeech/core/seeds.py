"""Seeds of random streams, the same on every machine."""

import hashlib


def derive_seed(run_seed: int, stream: str, step: int = 0) -> int:
    """A 63-bit seed from all three arguments, the same on every machine and Python version."""
    digest = hashlib.sha256(f"{run_seed}/{stream}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
