"""The contracts of splitjoin's stores as suites of tests: hold your own sink, source, tracker or loader to them.

Each suite is a class for pytest (install ``pytest`` for it); a test class of yours inherits it, and a
fixture ``rig`` says how to make your store. tests/contracts holds our own to the same suites.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{suite}"
        for suite in (
            "engines",
            "jobs",
            "joins",
            "loader_bad_rows",
            "loader_fields",
            "loader_records",
            "loader_runs",
            "loader_values",
            "loaders",
            "loading",
            "reading",
            "repairs",
            "reports",
            "sinks",
            "small_objects",
            "sources",
            "staging",
            "trackers",
        )
    )
)
