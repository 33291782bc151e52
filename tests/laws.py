"""How many examples a law is held against: few in CI, where every run draws new ones, and more in ``make soak``."""

from __future__ import annotations

import os

from hypothesis import settings

FACTOR = int(os.environ.get("LAW_FACTOR", "1"))
USUAL = 100


def examples(count: int) -> settings:
    """So many examples, in ``make soak`` a multiple. No time limit: the machine may be busy."""
    return settings(max_examples=count * FACTOR, deadline=None)


def load() -> None:
    """The same for laws that name no number."""
    settings.register_profile("splitjoin", examples(USUAL))
    settings.load_profile("splitjoin")
