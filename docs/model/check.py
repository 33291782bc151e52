"""Explores the models and holds what is found against what is expected: ``python docs/model/check.py [--all]``.

A rule must show no violation. A reading is a rule left out or understood otherwise, and must show one: a checker that
finds nothing there would find nothing anywhere. Exits with 1 where one of them comes out otherwise.
"""

from __future__ import annotations

import argparse
import sys

import operate_settings
from join_model import Cfg, JoinModel
from mc import explore
from operate_model import Cfg as OperateCfg
from operate_model import OperateModel
from runs_model import A, B, RCfg, RunsModel

QUICK_STATES = 130_000
LAPSED, UNCLAIMED, ALL = ("lapsed",), ("lapsed", "unclaimed"), ("lapsed", "unclaimed", "shards")
ALONE = {"dups": False, "lost": False, "crash": False, "sweep_crash": False}
FORCE = (("force", B), ("put", B, 0), ("put", B, 1))

JOIN_RULES = [
    ("one chunk", {"N": 1, "sym": False}, 9_000),
    ("two chunks", {"N": 2, "sym": False}, 50_000),
    ("two chunks, in shards of two", {"N": 2, "S": 2, "sym": False}, 105_000),
    ("a published writer beside ours", {"N": 2, "pub": (0,), "sym": False}, 15_000),
    ("a published writer above the shard limit", {"N": 3, "S": 2, "pub": (0,), "mixed_sum": True}, 30_000),
    (
        "items that expire, the join remembered in the ledger",
        {"N": 2, "ttl": "joined", "tomb": True, "sym": False},
        51_000,
    ),
    ("three chunks in shards of two", {"N": 3, "S": 2}, 240_000),
    ("a failed condition without its item, in shards", {"N": 3, "S": 2, "olditem": "read"}, 250_000),
    ("three workers", {"N": 3, "workers": 3}, 840_000),
    ("four chunks in shards of two", {"N": 4, "S": 2}, 960_000),
]
JOIN_READINGS = [
    ("the published counter", {"N": 2, "ledger": False, "guard": False, "sweep": ()}, 3_000),
    ("a ledger, but no guard on the count", {"N": 2, "guard": False, "sweep": ALL}, 127_000),
    ("a full shard adds one", {"N": 2, "S": 2, "jobadd": "one"}, 5_000),
    ("the last shard is full at the shard size", {"N": 3, "S": 2, "full": "size"}, 37_000),
    ("a duplicate does not count its full shard", {"N": 2, "S": 2, "dup_shard": "ack", "sweep": UNCLAIMED}, 67_000),
    ("the sweep sees lapsed claims alone", {"N": 1, "olditem": "none", "sweep": LAPSED}, 3_000),
    ("a claim does not look at joined", {"N": 1, "claim_joined": False}, 7_000),
    ("a claim does not know its own repeat", {"N": 1, "claim_token": False, "ack": "decided", "sweep": ()}, 1_100),
    ("finish by fence alone", {"N": 1, "slow": True, "finish": "fence", "ack": "strict", **ALONE}, 400),
    ("items that expire", {"N": 1, "ttl": "joined"}, 8_000),
    ("a restored database, ledger not counted", {"N": 2, "restore": True}, 111_000),
]
RUNS_RULES = [
    ("one chunk", {"K": 1}, 30_000),
    ("two chunks", {"K": 2, "script": FORCE}, 900_000),
    (
        "the job opened anywhere, repeatedly",
        {"K": 2, "opened": 0, "script": (("put", A, 0), ("open", A), ("put", A, 1), ("open", A))},
        900_000,
    ),
]
RUNS_READINGS = [
    ("no check before the load, no job row", {"K": 1, "precheck": False, "jobrow": "none"}, 100_000),
    ("old rows are not deleted", {"K": 1, "delete_old": False}, 100_000),
    ("shard items keyed by name alone", {"K": 1, "shard": True, "shardkey": "name"}, 100_000),
    (
        "no job opened, no condition that lets it be absent",
        {"K": 1, "opened": 0, "script": (("put", 1, 0),), "missing": "strict"},
        100,
    ),
]
KNOWN = {"replace, rm, clear, retry, split run again with the old source (no kills, no duplicates)"}
"""A rule that shows a known false alarm: a replace under way that will still store its file counts as stuck."""


def settings() -> list[tuple[str, str, object, int, bool]]:
    """Model and title, what makes the model, how many states it has, and whether it must be clean."""
    found = []
    for kind, make, config, rules, readings in (
        ("join", JoinModel, Cfg, JOIN_RULES, JOIN_READINGS),
        ("runs", RunsModel, RCfg, RUNS_RULES, RUNS_READINGS),
    ):
        for titles, clean in ((rules, True), (readings, False)):
            found += [
                (
                    kind,
                    title,
                    make(config(**({"sym": False} | chosen if kind == "join" and not clean else chosen))),
                    states,
                    clean,
                )
                for title, chosen, states in titles
            ]
    for titles, clean in (
        (operate_settings.RULES, True),
        (operate_settings.HARMLESS, True),
        (operate_settings.READINGS, False),
    ):
        for title, chosen, states in titles:
            model = OperateModel(OperateCfg(**chosen))
            found.append(("operate", title, model, states, clean and title not in KNOWN))
    return found


def main() -> int:
    """Explore what is quick, or with --all everything (minutes)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="the settings of many states too")
    wanted = parser.parse_args().all
    wrong = done = 0
    for kind, title, model, states, clean in settings():
        if states > QUICK_STATES and not wanted:
            continue
        result = explore(model, max_states=1_600_000, stop_first=not clean)
        found = ", ".join(f"{what} [{len(trace)} steps]" for what, trace in result.violations.items()) or "no violation"
        right = (result.ok if clean else bool(result.violations)) and (result.complete or not clean)
        wrong, done = wrong + (not right), done + 1
        print(
            f"{'ok   ' if right else 'WRONG'} {kind:7} {'rule   ' if clean else 'reading'} {title}: {result.states:,} states, {found}",
            flush=True,
        )
        if not right and clean:
            for what, trace in result.violations.items():
                print(f"      {what}: {'; '.join(trace)}")
    print(f"{done - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
