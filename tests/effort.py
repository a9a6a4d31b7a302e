"""How thorough the costly tests are: enough to notice a fault in `make test`, everything in `make chaos`."""

import os

FULL = os.environ.get("FULL_EFFORT", "") == "1"


def effort(*, short: int, full: int) -> int:
    """How many rounds, requests or steps: `short` in the suite, `full` with FULL_EFFORT=1."""
    return full if FULL else short
