"""The join of two runs of one job: open_job, --force, overwritten objects, old events, shard keys, fencing numbers.

A splitter works through a script: ("open", run), ("force", run), ("put", run, chunk), each one I/O, in order;
workers and (re)deliveries go on meanwhile.  Keys are the same in both runs (same client, date, chunk, total),
so a put of run B overwrites run A's object.  Crashes, repeats and duplicates without number, as in join_model.
Fencing numbers are real here, at most MAXF claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

A, B = 1, 2
NAME = {0: "-", A: "A", B: "B"}


@dataclass(frozen=True)
class RCfg:
    K: int = 1  # chunks in each run
    script: tuple = (("force", B), ("put", B, 0))
    opened: int = A  # the tracker's item at the start: 0 none, A opened (and A's objects stored)
    workers: int = 2
    ident: str = "oneget"  # event | headget | oneget | headloadhead
    precheck: bool = True  # the worker reads the job's item before the load
    pre_other: str = "ack"  # another run there: ack (stale) | nack (error, stays in the queue)
    jobrow: str = "gen"  # row per job in the ledger's database: none | run | gen
    gens: bool = True  # runs carry a generation number (A=1, B=2), grown by --force
    delete_old: bool = True  # taking the job row over deletes the replaced run's rows
    missing: str = "tolerant"  # condition on an attribute that is not there: tolerant | strict
    classify: str = "run-first"  # failed condition: run-first | dup-first
    open_: str = "upsert"  # open_job: upsert | put
    reset: str = "item"  # what --force puts back: item (one item) ; with shards see shardkey
    fence_kept: bool = True  # --force keeps the fencing number growing
    claim_run: bool = True  # claim's condition names the run
    claim_complete: bool = True
    finish: str = "fence+run"  # fence | fence+run | run
    shard: bool = False  # every chunk is a shard of its own, counted into the job's item
    shardkey: str = "run"  # name: file_name#shard | run: file_name#run#shard
    check_old_rows: bool = True  # at the end the database holds no row of a replaced run
    maxf: int = 3


class Item(NamedTuple):
    run: int
    done: int
    join: int  # 0 none 1 held 2 lapsed 3 joined
    fence: int


class W(NamedTuple):
    pc: str
    ev: int = 0  # run whose put made the event
    k: int = 0
    h: int = 0  # run the worker believes the object to be
    c: int = 0  # run whose bytes it has
    f: int = 0  # fencing number
    pre: int = 0  # run the tracker named before the load


IDLE = W("idle")


class St(NamedTuple):
    obj: tuple  # run of the object stored under each key
    pos: int  # in the script
    pend: tuple  # events not acknowledged, sorted (run, k)
    seen: tuple  # events ever emitted
    rows: tuple  # rows[run-1][k]: copies of that run's chunk in the table (cap 2)
    led: tuple  # ledger rows: sorted (run, k)
    row: int  # job row in the ledger's database: 0 or run
    item: object  # None or Item
    sh: tuple  # shard items: (key run or 0, k) -> run, as sorted tuple of ((keyrun,k),run)
    ran: tuple  # continuation ran for run A, B (0/1)
    ws: tuple


class RunsModel:
    def __init__(self, c: RCfg):
        self.c = c
        self.full = (1 << c.K) - 1
        self.last = max([x[1] for x in c.script] + [c.opened])

    def init(self):
        c = self.c
        a = c.opened == A
        ev = tuple((A, k) for k in range(c.K)) if a else ()
        return St(
            (A,) * c.K if a else (0,) * c.K,
            0,
            ev,
            ev,
            ((0,) * c.K, (0,) * c.K),
            (),
            0,
            Item(A, 0, 0, 0) if a else None,
            (),
            (0, 0),
            (IDLE,) * c.workers,
        )

    def quiet(self, s):
        return s.pos == len(self.c.script) and not s.pend and all(w.pc == "idle" for w in s.ws)

    def good(self, s):
        it = s.item
        return bool(self.quiet(s) and it and it.run == self.last and it.join == 3 and s.ran[self.last - 1])

    def _w(self, s, i, w, **kw):
        ws = list(s.ws)
        ws[i] = w
        ws.sort()
        return s._replace(ws=tuple(ws), **kw)

    def _ack(self, s, i, w):
        return self._w(s, i, IDLE, pend=tuple(e for e in s.pend if e != (w.ev, w.k)))

    def succ(self, s):
        c = self.c
        # the splitter
        if s.pos < len(c.script):
            st = c.script[s.pos]
            nx = s._replace(pos=s.pos + 1)
            if st[0] == "open":
                it = s.item
                if c.open_ == "put" or it is None:
                    it2 = Item(st[1], 0, 0, 0)
                else:
                    it2 = it
                yield f"split: open_job {NAME[st[1]]}", False, nx._replace(item=it2), None
            elif st[0] == "force":
                f = s.item.fence if s.item and c.fence_kept else 0
                yield (
                    f"split --force: open_job replaces the run by {NAME[st[1]]}",
                    False,
                    nx._replace(item=Item(st[1], 0, 0, f)),
                    None,
                )
            else:
                _, r, k = st
                obj = s.obj[:k] + (r,) + s.obj[k + 1 :]
                yield (
                    f"split: puts chunk {k + 1} of run {NAME[r]}",
                    False,
                    nx._replace(
                        obj=obj, pend=tuple(sorted(s.pend + ((r, k),))), seen=tuple(sorted(set(s.seen + ((r, k),))))
                    ),
                    None,
                )
        it = s.item
        if it and it.join == 1:
            live = any(w.f == it.fence and w.pc in ("cont", "fin") for w in s.ws)
            yield "lease lapses", live, s._replace(item=it._replace(join=2)), None
        if self.quiet(s):
            yield from self._sweep(s)
        for i, w in enumerate(s.ws):
            if i and w == s.ws[i - 1] and w.pc == "idle":
                continue
            yield from self._worker(s, i, w)

    def _sweep(self, s):
        """Atomic and without faults: only what liveness after quiescence needs."""
        c, it = self.c, s.item
        if it and it.join == 1:
            return
        if it and it.join == 3 and it.run == self.last:
            v = None
            if not s.ran[self.last - 1]:
                v = "JOINED WITHOUT CONTINUATION"
            elif c.check_old_rows and self.last == B and any(s.rows[0]):
                v = "OLD ROWS REMAIN: rows of the replaced run are still in the table"
            elif any(x != 1 for x in s.rows[self.last - 1]):
                v = "JOINED, rows of the run not there exactly once"
            if v:
                yield "sweep: job joined", False, s, v
            return
        if it and it.run == self.last and it.done == self.full:
            r = list(s.ran)
            r[it.run - 1] = 1
            v = self._early(s, it.run)
            yield (
                "sweep claims, continues, finishes",
                False,
                s._replace(
                    item=it._replace(join=3, fence=it.fence + 1 if it.fence < c.maxf else it.fence), ran=tuple(r)
                ),
                v,
            )
            return
        yield "sweep: nothing complete: NOT joined", False, s, "LOST JOIN"

    def _early(self, s, run):
        miss = [k + 1 for k in range(self.c.K) if s.rows[run - 1][k] == 0]
        return f"EARLY JOIN: run {NAME[run]} joined without its rows" if miss else None

    def _worker(self, s, i, w):
        c = self.c
        me = f"w{i + 1}"
        if w.pc == "idle":
            for r, k in s.seen:
                held = any(x.pc != "idle" and (x.ev, x.k) == (r, k) for x in s.ws)
                dup = held or (r, k) not in s.pend
                yield (
                    f"{me} receives event {NAME[r]}{k + 1}" + (" again" if dup else ""),
                    dup,
                    self._w(s, i, W("head", r, k)),
                    None,
                )
            return
        yield f"{me} crashes before '{w.pc}'", True, self._w(s, i, IDLE), None
        k = w.k
        if w.pc == "head":
            o = s.obj[k]
            if c.ident == "event":
                yield (
                    f"{me} takes run {NAME[w.ev]} from the event",
                    False,
                    self._w(s, i, w._replace(pc="pre", h=w.ev)),
                    None,
                )
            elif c.ident == "oneget":
                yield (
                    f"{me} opens object {k + 1}: run {NAME[o]}, bytes and metadata of one answer",
                    False,
                    self._w(s, i, w._replace(pc="pre", h=o, c=o)),
                    None,
                )
            else:
                yield f"{me} HEAD object {k + 1}: run {NAME[o]}", False, self._w(s, i, w._replace(pc="pre", h=o)), None
            return
        if w.pc == "pre":
            it = s.item
            if not c.precheck:
                yield f"{me} (no check before the load)", False, self._w(s, i, w._replace(pc="get")), None
            elif it is None or it.run == w.h:
                yield (
                    f"{me} reads the tracker: run {NAME[it.run] if it else 'not there'}",
                    False,
                    self._w(s, i, w._replace(pc="get", pre=it.run if it else 0)),
                    None,
                )
            else:
                nx = self._ack(s, i, w) if c.pre_other == "ack" else self._w(s, i, IDLE)
                yield (
                    f"{me} reads the tracker: run {NAME[it.run]}, mine is {NAME[w.h]}: {'stale, acknowledges' if c.pre_other == 'ack' else 'error, not acknowledged'}",
                    False,
                    nx,
                    None,
                )
            return
        if w.pc == "get":
            if c.ident == "oneget":
                yield f"{me} reads the bytes of run {NAME[w.c]}", False, self._w(s, i, w._replace(pc="commit")), None
            else:
                yield (
                    f"{me} GET object {k + 1}: bytes of run {NAME[s.obj[k]]}",
                    False,
                    self._w(s, i, w._replace(pc="commit" if c.ident != "headloadhead" else "head2", c=s.obj[k])),
                    None,
                )
            return
        if w.pc == "head2":
            if s.obj[k] == w.h and w.c == w.h:
                yield f"{me} HEAD again before commit: the same", False, self._w(s, i, w._replace(pc="commit")), None
            else:
                yield f"{me} HEAD again before commit: changed, rolls back", False, self._w(s, i, IDLE), None
            return
        if w.pc == "commit":  # one transaction: job row, ledger row, rows
            row, led, rows = s.row, s.led, s.rows
            if c.jobrow != "none" and row and row != w.h:
                newer = (w.h > row) if c.jobrow == "gen" else (w.pre == w.h)
                if not newer:
                    nx = self._ack(s, i, w) if c.pre_other == "ack" else self._w(s, i, IDLE)
                    yield f"{me} job row in the database names run {NAME[row]}: refuses, rolls back", False, nx, None
                    return
                if c.delete_old:
                    rows = tuple(tuple(0 for _ in x) if r == row - 1 else x for r, x in enumerate(rows))
                    led = tuple(e for e in led if e[0] != row)
            if c.jobrow != "none":
                row = w.h
            if (w.h, k) in led:
                yield (
                    f"{me} ledger row ({NAME[w.h]},{k + 1}) is there: skips",
                    False,
                    self._w(s, i, w._replace(pc="mark"), row=row, led=led, rows=rows),
                    None,
                )
                return
            led = tuple(sorted(led + ((w.h, k),)))
            rl = [list(x) for x in rows]
            rl[w.c - 1][k] = min(2, rl[w.c - 1][k] + 1)
            v = f"ROWS TWICE: chunk {k + 1} of run {NAME[w.c]}" if rl[w.c - 1][k] > 1 else None
            rows = tuple(tuple(x) for x in rl)
            yield (
                f"{me} commits ledger ({NAME[w.h]},{k + 1}) with bytes of run {NAME[w.c]}",
                False,
                self._w(s, i, w._replace(pc="mark"), row=row, led=led, rows=rows),
                v,
            )
            return
        if w.pc == "mark":
            yield from self._mark(s, i, w, me, False)
            yield from self._mark(s, i, w, me, True)
            return
        if w.pc == "count":
            s1, r = self._op_job(s, w)
            yield f"{me} counts shard {k + 1} into the job: {r}", False, self._next(s1, i, w, r), None
            return
        if w.pc == "claim":
            it = s.item
            ok = (
                it is not None
                and it.join in (0, 2)
                and (it.run == w.h or not c.claim_run)
                and (it.done == self.full or not c.claim_complete)
                and it.fence < c.maxf
            )
            if ok:
                f = it.fence + 1
                v = self._early(s, it.run)
                yield (
                    f"{me} claims run {NAME[it.run]}, fence {f}",
                    False,
                    self._w(s, i, w._replace(pc="cont", f=f), item=it._replace(join=1, fence=f)),
                    v,
                )
            else:
                yield f"{me} claim refused", False, self._ack(s, i, w), None
            return
        if w.pc == "cont":
            r = list(s.ran)
            r[w.h - 1] = 1
            yield (
                f"{me} continuation runs with key {NAME[w.h]}",
                False,
                self._w(s, i, w._replace(pc="fin"), ran=tuple(r)),
                None,
            )
            return
        if w.pc == "fin":
            it = s.item
            ok = (
                it is not None
                and it.join in (1, 2)
                and (
                    (c.finish == "fence" and it.fence == w.f)
                    or (c.finish == "fence+run" and it.fence == w.f and it.run == w.h)
                    or (c.finish == "run" and it.run == w.h)
                )
            )
            if ok:
                v = (
                    None
                    if s.ran[it.run - 1]
                    else f"JOINED WITHOUT CONTINUATION: run {NAME[it.run]} finished by the owner of run {NAME[w.h]}"
                )
                yield (
                    f"{me} finish_join (fence {w.f}): run {NAME[it.run]} joined",
                    False,
                    self._w(s, i, w._replace(pc="ack"), item=it._replace(join=3)),
                    v,
                )
            else:
                yield f"{me} finish_join refused", False, self._w(s, i, w._replace(pc="ack")), None
            return
        if w.pc == "ack":
            yield f"{me} acknowledges event {NAME[w.ev]}{k + 1}", False, self._ack(s, i, w), None
            return
        raise AssertionError(w)

    # ---- mark_done, one item or a shard ---------------------------------------------------------
    def _op_job(self, s, w):
        """The guarded add into the job's item -> state, new | dup | other run | refused."""
        c, it, b = self.c, s.item, 1 << w.k
        if it is None:
            if c.missing == "strict":
                return s, "refused: attribute not there"
            return s._replace(item=Item(w.h, b, 0, 0)), "new"
        if it.run == w.h and not it.done & b:
            return s._replace(item=it._replace(done=it.done | b)), "new"
        if c.classify == "dup-first" and it.done & b:
            return s, "dup"
        return s, "dup" if it.run == w.h else "other run"

    def _op_shard(self, s, w):
        c = self.c
        key = (w.h if c.shardkey == "run" else 0, w.k)
        d = dict(s.sh)
        if key not in d:
            d[key] = w.h
            return s._replace(sh=tuple(sorted(d.items()))), "new"
        return s, "dup" if d[key] == w.h else "other run"

    def _mark(self, s, i, w, me, lost):
        op = self._op_shard if self.c.shard else self._op_job
        s1, r = op(s, w)
        if lost:
            s1, r = op(s1, w)
        how = ": applied, response lost, SDK repeats" if lost else ""
        nx = self._next(s1, i, w, r, shard=self.c.shard)
        yield f"{me} mark_done ({NAME[w.h]},{w.k + 1}){how}: {r}", lost, nx, None

    def _next(self, s, i, w, r, shard=False):
        if r.startswith("refused"):
            return self._w(s, i, IDLE)  # an error: not acknowledged
        if r == "other run":
            return self._ack(s, i, w) if self.c.pre_other == "ack" else self._w(s, i, IDLE)
        if shard:
            return self._w(s, i, w._replace(pc="count"))
        done = s.item is not None and s.item.done == self.full
        return self._w(s, i, w._replace(pc="claim" if done else "ack"))
