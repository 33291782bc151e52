"""What is explored of the operator's commands: the rules, which must hold, and other readings of them."""

STORE = {"workers": 0, "dups": False}
RT, CL = ("replace", "retry"), ("clear", "retry", "rejoin")
EVERY = ("replace", "restore", "clear", "retry", "rejoin")

RULES = [
    ("replace, asking the ledger", {"cmds": RT}, 808_583),
    ("clear", {"cmds": CL}, 757_726),
    ("replace, asking the tracker; clear", {"cmds": RT + ("clear", "rejoin"), "via": "tracker", "workers": 1}, 143_917),
    ("replace, restore, clear, retry", {"cmds": EVERY, "workers": 1}, 466_231),
    (
        "replace of a bad chunk, split run again, a late conditional PUT",
        {"cmds": RT, "bad": True, "late": "absent", "splits": ("A",), "workers": 1},
        148_830,
    ),
    ("clear beside split --force", {"cmds": CL, "splits": ("B",), "workers": 1}, 699_322),
    ("rm --force, retry, split run again", {"cmds": ("rmforce", "retry"), "splits": ("A",), "workers": 1}, 1_240_485),
    ("replace beside split --force", {"cmds": RT, "splits": ("B",), "workers": 1, "dups": False}, 655_521),
    (
        "the store alone, all commands, two splits at once, a lost chunk, a late conditional PUT",
        {
            "cmds": ("rmforce", "rm", "split", "replace", "restore"),
            "splits": ("A", "B"),
            "late": "absent",
            "gone": True,
            **STORE,
        },
        124_723,
    ),
    (
        "replace, rm, clear, retry, split run again with the old source (no kills, no duplicates)",
        {"cmds": (*RT, "clear", "rmforce"), "splits": ("A",), "workers": 1, "dups": False, "kills": False},
        1_261_824,
    ),
]

READINGS = [
    ("replace asks the ledger and writes nothing down", {"cmds": RT, "reserve": False}, 109_590),
    (
        "replace asks the tracker and writes nothing down",
        {"cmds": RT, "reserve": False, "via": "tracker", "workers": 1},
        9_587,
    ),
    (
        "same, and a ledger row of another content is a skip",
        {"cmds": RT, "reserve": False, "validator": "skip", "workers": 1},
        977,
    ),
    (
        "replace, killed, typed again: 'loaded already' though FILE itself is what is loaded",
        {"cmds": RT, "goon": False, "bad": True, "workers": 1},
        22_339,
    ),
    (
        "replace's chunk is stored without a condition",
        {"cmds": ("replace",), "splits": ("B",), "put": "blind", **STORE},
        481,
    ),
    (
        "replace's manifest is stored without a condition",
        {"cmds": ("replace",), "splits": ("B",), "manput": "blind", **STORE},
        545,
    ),
    ("clear looks at the lease, and takes nothing", {"cmds": CL, "claims": False, "workers": 1}, 2_315),
    ("clear: the tracker first, then the database", {"cmds": CL, "order": "tracker", "workers": 1}, 9_019),
    ("clear forgets what replace wrote down", {"cmds": ("replace", "clear", "retry"), "keeps": False}, 91_309),
    ("the ledger's joined_at whatever the ledger holds", {"cmds": CL, "ljcount": False}, 89_905),
    (
        "split's manifest is stored without a condition",
        {"cmds": ("rmforce", "split"), "splits": ("A", "B"), "splitman": "blind", "late": "absent", **STORE},
        11_133,
    ),
    ("finish_join wants the same run alone", {"cmds": CL, "finish": "run"}, 407_207),
    ("the message of an owner whose lease had lapsed (a limit, not a rule)", {"cmds": CL, "zombie": True}, 31_492),
    (
        "a plan that is gone is fine, no look again",
        {"cmds": ("rmforce",), "splits": ("A",), "conclude": "today", "recheck": "", **STORE},
        690,
    ),
    ("plan looked at before the manifest alone", {"cmds": ("rmforce",), "splits": ("A",), "recheck": "", **STORE}, 634),
    (
        "plan looked at again after the manifest",
        {"cmds": ("rmforce", "split"), "splits": ("A",), "recheck": "plan", **STORE},
        868,
    ),
    (
        "split and rm delete whatever plan stands",
        {"cmds": ("rmforce", "split"), "splits": ("A", "B"), "plandel": "blind", **STORE},
        3_829,
    ),
    (
        "split --force takes the name from a running rm",
        {"cmds": ("rmforce",), "splits": ("A", "B"), "forceoverrm": True, **STORE},
        1_146,
    ),
    (
        "a split run again stores without a condition",
        {"cmds": ("replace",), "splits": ("A",), "resend": "blind", "gone": True, **STORE},
        374,
    ),
    (
        "a split run again stores over another run's chunk",
        {"cmds": ("split",), "splits": ("A", "B"), "foreign": False, **STORE},
        360,
    ),
    ("a killed split's late PUT, without a condition", {"cmds": (), "splits": ("B",), "late": "blind", **STORE}, 69),
    (
        "split of the old source after rm of a mended split",
        {"cmds": (*RT, "rmforce"), "splits": ("A",), "openmended": False, "workers": 1, "dups": False, "kills": False},
        99_981,
    ),
]

HARMLESS = [
    ("mark_done does not know that the run was cleared", {"cmds": CL, "markround": False, "workers": 1}, 17_787),
    (
        "a plan that is gone is exit 11, though the manifest of the run stands",
        {"cmds": ("split",), "splits": ("A",), "conclude": "gone", "start": "empty", **STORE},
        586,
    ),
    (
        "rm: chunks before the manifest",
        {"cmds": ("rmforce", "split"), "splits": ("A",), "rmfirst": "chunks", **STORE},
        4_411,
    ),
    ("rm does not look again", {"cmds": ("rmforce", "split"), "splits": ("A",), "looksagain": False, **STORE}, 3_940),
]
"""Rules that the other rules make unnecessary as far as this model reaches; they are kept as a second line."""
