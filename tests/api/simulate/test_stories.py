"""Stories and messages as columns: what is read back is what was told, in the order in which it was told."""

from __future__ import annotations

import pickle
import random
from array import array
from typing import TYPE_CHECKING
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.api.simulate import mailbox
from splitjoin_cli.api.simulate.chunks import ChunkSet, ChunkUris
from splitjoin_cli.api.simulate.mailbox import Letter, Mailbox
from splitjoin_cli.api.simulate.report import ChunkStory
from splitjoin_cli.api.simulate.stories import Stories
from splitjoin_cli.core.ranges import NumberRanges
from splitjoin_cli.stores.trackers.jobs import Run
from tests.laws import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = {2: 7, 3: 1, 5: 1_234, 6: 0}
URIS = ChunkUris("s3://bucket/in/acme_1-", "-6.csv", 1, {5: "s3://bucket/in/acme_1-005-6.csv"})
WORDS = st.sampled_from(
    ["worker-1:", " 7 rows ", " 1 row ", " 1,234 rows ", "acme_1-2-6.csv", "acme_1-005-6.csv", "s3://", "\0", " ", "x"]
)
TOLD = st.tuples(st.sampled_from(sorted(ROWS)), st.lists(WORDS).map("".join))
HINTS = st.tuples(st.sampled_from(sorted(ROWS)), st.sampled_from(["a", "b", None]))


def chunk_set() -> ChunkSet:
    """Four of six chunks."""
    return ChunkSet(Run("acme_1", "0" * 32), 6, NumberRanges.of(ROWS), URIS, array("q", ROWS.values()))


@given(st.lists(TOLD), st.lists(HINTS), st.sets(st.sampled_from(sorted(ROWS))))
@examples(50)
def test_stories_are_what_was_told(
    told: Sequence[tuple[int, str]], advice: Sequence[tuple[int, str | None]], loaded: set[int]
) -> None:
    """Word for word, whatever stands in it; also after they were in another process."""
    expected = {number: ChunkStory(number, ROWS[number] if number in loaded else 0) for number in ROWS}
    stories = Stories(chunk_set())
    for number, event in told:
        stories.begin(number)
        stories.tell(number, event)
        expected[number].attempts += 1
        expected[number].events.append(event)
    for number, hint in advice:
        stories.advise(number, hint)
        expected[number].hint = hint
    stories.loaded = NumberRanges.of(sorted(loaded))
    assert stories == list(expected.values())
    assert [stories[place] for place in range(-4, 4)] == 2 * list(expected.values())
    assert stories[1:3] == list(expected.values())[1:3]
    assert [stories.last_event(number) for number in ROWS] == [
        one.events[-1] if one.events else None for one in expected.values()
    ]
    assert stories.hints() == tuple(dict.fromkeys(one.hint for one in expected.values() if one.hint and not one.rows))
    assert pickle.loads(pickle.dumps(stories)) == stories  # noqa: S301 -- our own


def test_a_chunk_is_settled_once() -> None:
    """Each for itself."""
    stories = Stories(chunk_set())
    assert [stories.settle(number) for number in (2, 3, 2, 6, 6, 5)] == [True, True, False, True, False, True]


def test_uris_are_as_the_chunks_are_named() -> None:
    """By others, too, who pad numbers otherwise."""
    assert [URIS(2), URIS(5)] == ["s3://bucket/in/acme_1-2-6.csv", "s3://bucket/in/acme_1-005-6.csv"]


LETTERS = st.builds(
    Letter, st.integers(0, 10_000_000), st.booleans(), st.integers(0, 300), st.integers(0, 300), st.booleans()
)


@given(st.lists(LETTERS), st.lists(st.one_of(st.none(), LETTERS)), st.booleans())
@examples(50)
def test_the_mailbox_is_as_a_list(letters: Sequence[Letter], steps: Sequence[Letter | None], shuffle: bool) -> None:  # noqa: FBT001 -- hypothesis gives it
    """Whatever is put in between, each letter comes as it was, where a list would have it."""
    order, waiting = random.Random(1), list(letters)
    if shuffle:
        order.shuffle(waiting)
    with mock.patch.object(mailbox, "AT_A_TIME", 2):
        box = Mailbox(letters, shuffle=random.Random(1) if shuffle else None)
        for step in steps:
            if step is not None:
                waiting.insert(len(waiting) - order.randint(0, len(waiting)) if shuffle else len(waiting), step)
                box.put(step)
            elif waiting:
                assert box.take() == waiting.pop(0)
                box.delete()
            assert box.wait_idle(0) is not bool(waiting)
        assert [box.take() for _ in waiting] == waiting
