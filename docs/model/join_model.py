"""The join of one run of one job (docs/protocol.md): single item and sharded, every single I/O a step.

Faults, none of them counted (so any number of each): a crash before or after every I/O, a response that is
lost after the effect (the SDK sends the request again: the effect is applied twice and the second answer is
what the caller sees), an event delivered again while another worker still holds it or after its
acknowledgement, a lease that lapses while its owner runs, a sweep at any moment.  The state space is finite
all the same because fencing numbers are only ever compared for "still the latest" (tok 1) or "not" (tok 2).

Chunks are 0..N-1 inside and printed from 1.  Every switch of Cfg is one reading of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

NONE, HELD, LAPSED, JOINED = range(4)
JOIN = ("unclaimed", "held", "lapsed", "joined")


@dataclass(frozen=True)
class Cfg:
    N: int = 3
    S: int = 0  # shard size; 0 = everything in the job's item
    workers: int = 2
    ledger: bool = True  # ledger row + load in one transaction; False = load, then count (published)
    guard: bool = True  # conditional set-add; False = published bare ADD
    eq: str = "=="  # complete means processed == total, or >=
    ack: str = "decided"  # load | count | decided | strict   (see _ack rules below)
    sweep: tuple = ("lapsed", "unclaimed", "shards")
    dup_shard: str = "count"  # a duplicate whose shard is full: count (go on) | ack (stop)
    olditem: str = "item"  # answer of a failed condition: item | read | stale | none
    full: str = "exact"  # a shard is full at min(S, N - S*k), or literally at S
    jobadd: str = "size"  # a full shard adds its number of chunks, or literally one
    claim_complete: bool = True  # claim's condition includes: complete
    claim_joined: bool = True  # claim's condition includes: not joined
    claim_token: bool = True  # claim recognises its own repeated request
    finish: str = "any"  # fence: only the latest claim may finish | any: success of any claim counts
    fence: bool = True  # finish looks at the fencing number at all (only with finish='fence')
    slow: bool = False  # the continuation always outlives the lease
    dlq: bool = False  # an event may go to the dead-letter queue at any time
    crash: bool = True
    sweep_crash: bool = True
    lost: bool = True
    dups: bool = True
    pub: tuple = ()  # chunks counted by a published, unguarded writer
    pub_dup: bool = False  # ... which sees one duplicate
    ttl: str = ""  # '' | joined (item removed after the join) | open (removed before)
    tomb: bool = False  # the finished join is remembered in the ledger's database
    restore: bool = False  # the database comes back from a backup without chunk 1
    verify: bool = False  # the claim's owner counts the ledger before the continuation
    mixed_sum: bool = False  # sweep: unguarded + sum over the shards' sets reaches the total
    fail: bool = False  # a load may raise; mark_failed is written
    fail_view: str = "derived"  # status shows failed: raw | derived (done wins)
    ghost: bool = False  # a timed-out request may still arrive, at any later moment, after its repeat
    sym: bool = True  # equal workers are interchangeable (fewer states; traces swap w1 and w2)


class P(NamedTuple):  # a process: worker or sweep
    pc: str
    n: int = 0  # its chunk (worker) or shard (sweep)
    tok: int = 0  # its claim: 0 none, 1 latest, 2 superseded
    note: int = 0


IDLE = P("idle")


class St(NamedTuple):
    rows: tuple
    led: int
    done: int
    jd: int
    proc: int
    join: int
    ran: int
    acked: int
    dlq: int
    pubm: int
    theirs: int
    env: int
    failm: int
    ws: tuple
    sw: P
    clean: int
    gh: int = 0  # delayed copies under way: bits mark n | N+count j | 2N claim | 2N+1 finish | 2N+2 continuation


class JoinModel:
    def __init__(self, cfg: Cfg):
        self.c = cfg
        n = cfg.N
        self.all = (1 << n) - 1
        self.ours = self.all & ~sum(1 << k for k in cfg.pub)
        if cfg.S:
            self.K = (n + cfg.S - 1) // cfg.S
            self.shmask = [sum(1 << k for k in range(j * cfg.S, min(n, (j + 1) * cfg.S))) for j in range(self.K)]
            self.shsize = [bin(m).count("1") for m in self.shmask]
        if cfg.slow:
            self.progress = "continuation runs"

    def init(self) -> St:
        c = self.c
        return St((0,) * c.N, 0, 0, 0, 0, NONE, 0, self.all & ~self.ours, 0, 0, 0, 0, 0, (IDLE,) * c.workers, IDLE, 0)

    # ---- what the stores answer -------------------------------------------------------------------
    def complete(self, s: St) -> bool:
        return s.proc >= self.c.N if self.c.eq == ">=" else s.proc == self.c.N

    def shard_full(self, s: St, j: int) -> bool:
        have = bin(s.done & self.shmask[j]).count("1")
        return have == (self.shsize[j] if self.c.full == "exact" else self.c.S)

    def op_mark(self, s: St, n: int):
        """-> state, 'new' | 'dup'"""
        b = 1 << n
        cap = self.c.N + 2
        if not self.c.guard:
            return s._replace(done=s.done | b, proc=min(cap, s.proc + 1)), "new"
        if s.done & b:
            return s, "dup"
        if self.c.S:
            return s._replace(done=s.done | b), "new"
        return s._replace(done=s.done | b, proc=min(cap, s.proc + 1)), "new"

    def op_count(self, s: St, j: int):
        b = 1 << j
        if s.jd & b:
            return s, "dup"
        add = self.shsize[j] if self.c.jobadd == "size" else 1
        return s._replace(jd=s.jd | b, proc=min(self.c.N + 2, s.proc + add)), "new"

    def op_claim(self, s: St, mine: bool):
        """-> state, ok | held | joined | incomplete.  mine: a repeat of a claim that already went through."""
        c = self.c
        if s.join == JOINED and c.claim_joined:
            return s, "joined"
        if s.join == HELD:
            return (s, "ok") if (mine and c.claim_token) else (s, "held")
        if c.claim_complete and not self.complete(s):
            return s, "incomplete"
        sup = lambda p: p._replace(tok=2) if p.tok == 1 else p
        if c.finish == "fence":
            s = s._replace(gh=s.gh & ~(2 << 2 * c.N))  # a delayed finish carries an old fencing number now
        return s._replace(join=HELD, ws=tuple(map(sup, s.ws)), sw=sup(s.sw)), "ok"

    def op_finish(self, s: St, tok: int):
        c = self.c
        if c.finish == "any":
            return s._replace(join=JOINED), "ok"
        if not c.fence or tok == 1:
            return (s._replace(join=JOINED), "ok") if s.join != NONE else (s, "refused")
        return s, "refused"

    # ---- helpers -----------------------------------------------------------------------------------
    def quiet(self, s: St) -> bool:
        return (
            (s.acked | s.dlq) == self.all
            and all(w.pc == "idle" for w in s.ws)
            and s.join != HELD
            and s.pubm == self.all & ~self.ours
        )

    def good(self, s: St) -> bool:
        if self.c.ttl == "joined" and s.env:
            return True
        return (
            s.acked == self.all
            and all(w.pc == "idle" for w in s.ws)
            and s.sw.pc == "idle"
            and s.join == JOINED
            and s.ran > 0
        )

    def must_join(self, s: St) -> bool:
        """After quiescence and a sweep: does the law ask for a finished join?"""
        if self.c.ttl == "joined" and s.env:
            return False  # it was joined once
        if self.c.restore and s.led != self.all:
            return False  # refusing the join is right; an operator is needed
        if self.c.dlq:
            return (s.done | s.pubm) == self.all or s.acked == self.all
        return True

    # ---- the steps ---------------------------------------------------------------------------------
    def succ(self, s: St):
        c = self.c
        for i, w in enumerate(s.ws):
            if c.sym and i and w == s.ws[i - 1] and w.pc == "idle":
                continue  # symmetric idle workers
            yield from self._worker(s, i, w)
        if c.sweep:
            yield from self._sweep(s)
        elif self.quiet(s) and s.join != JOINED and self.must_join(s):
            yield "all events acknowledged, no sweep configured: NOT joined", False, s, "LOST JOIN"
        # leases
        if s.join == HELD:
            live = any(p.tok == 1 for p in s.ws) or s.sw.tok == 1
            who = "while its owner still runs" if live else "of a dead owner"
            yield f"lease lapses {who}", live and not c.slow, s._replace(join=LAPSED, clean=0), None
        # dead letters and their retry
        if c.dlq:
            for n in range(c.N):
                b = 1 << n
                if not (s.acked | s.dlq) & b and not any(w.pc != "idle" and w.n == n for w in s.ws):
                    yield f"event {n + 1} to the dead-letter queue", True, s._replace(dlq=s.dlq | b), None
                if s.dlq & b:
                    yield f"retry: event {n + 1} sent again", False, s._replace(dlq=s.dlq & ~b), None
        # the published writer beside ours: load + bare ADD, itself without faults
        for n in c.pub:
            b = 1 << n
            if not s.pubm & b:
                rows = list(s.rows)
                rows[n] += 1
                s2 = s._replace(rows=tuple(rows), pubm=s.pubm | b, proc=min(c.N + 2, s.proc + 1))
                last = s2.proc == c.N
                yield (
                    f"published writer loads and ADDs chunk {n + 1}"
                    + (", sees equality, continues the flow itself" if last else ""),
                    False,
                    s2._replace(theirs=1 if last else s2.theirs),
                    None,
                )
            elif c.pub_dup and not s.env:
                s2 = s._replace(proc=min(c.N + 2, s.proc + 1), env=1)
                last = s2.proc == c.N
                yield (
                    f"published writer: duplicate of chunk {n + 1} ADDs again",
                    True,
                    s2._replace(theirs=1 if last else s2.theirs),
                    None,
                )
        if s.gh:
            for k in range(c.N):
                if s.gh >> k & 1:
                    s1, r = self.op_mark(s, k)
                    yield (
                        f"the delayed mark_done {k + 1} arrives: {r}",
                        True,
                        s1._replace(gh=s1.gh & ~(1 << k), clean=0),
                        None,
                    )
                if c.S and k < self.K and s.gh >> c.N + k & 1:
                    s1, r = self.op_count(s, k)
                    yield (
                        f"the delayed count of shard {k + 1} arrives: {r}",
                        True,
                        s1._replace(gh=s1.gh & ~(1 << c.N + k), clean=0),
                        None,
                    )
            if s.gh >> 2 * c.N & 1:
                s1, r = self.op_claim(s, False)
                v = "EARLY JOIN: claimed before every chunk is loaded" if r == "ok" and 0 in s.rows else None
                yield (
                    f"the delayed claim arrives: {r}, nobody knows",
                    True,
                    s1._replace(gh=s1.gh & ~(1 << 2 * c.N), clean=0),
                    v,
                )
            if s.gh >> 2 * c.N + 1 & 1:
                s1, r = self.op_finish(s, 1)
                yield f"the delayed finish arrives: {r}", True, s1._replace(gh=s1.gh & ~(2 << 2 * c.N), clean=0), None
        # the outside world
        if c.ttl == "joined" and not s.env and s.join == JOINED and self.quiet(s):
            yield ("TTL removes the job's items", True, s._replace(env=1, done=0, jd=0, proc=0, join=NONE), None)
        if c.ttl == "open" and not s.env and s.done and s.join == NONE:
            yield "TTL removes the unfinished job's items", True, s._replace(env=1, done=0, jd=0, proc=0), None
        if (
            c.restore
            and not s.env
            and s.led & 1
            and s.join != JOINED
            and s.sw.pc not in ("scont", "sfin")
            and not any(w.pc in ("commit", "cont", "fin") for w in s.ws)
        ):
            rows = (0,) + s.rows[1:]
            yield (
                "database restored from a backup without chunk 1",
                True,
                s._replace(env=1, led=s.led & ~1, rows=rows),
                None,
            )

    def _put(self, s: St, i: int, w: P) -> St:
        ws = list(s.ws)
        if ws[i].pc == "idle":
            s = s._replace(clean=0)  # a delivery: the running sweep is not the last one
        ws[i] = w
        if self.c.sym:
            ws.sort()
        return s._replace(ws=tuple(ws))

    def _worker(self, s: St, i: int, w: P):
        c = self.c
        me = f"w{i + 1}"
        n, b = w.n, 1 << w.n
        put = lambda st, pc, tok=w.tok, note=0: self._put(st, i, IDLE if pc == "idle" else P(pc, n, tok, note))

        if w.pc == "idle":
            for k in range(c.N):
                kb = 1 << k
                if not self.ours & kb or s.dlq & kb:
                    continue
                held = any(x.pc != "idle" and x.n == k for x in s.ws)
                dup = held or bool(s.acked & kb)
                if dup and not c.dups:
                    continue
                why = " again (already acknowledged)" if s.acked & kb else " again (visibility ran out)" if held else ""
                yield f"{me} receives event {k + 1}{why}", dup, self._put(s, i, P("load", k)), None
            return

        if c.crash:
            yield f"{me} crashes before '{w.pc}' (chunk {n + 1})", True, put(s, "idle", 0), None

        if w.pc == "load":
            if not c.ledger:  # published: load, commit, then count
                rows = list(s.rows)
                rows[n] = min(3, rows[n] + 1)
                v = "ROWS TWICE" if rows[n] > 1 else None
                yield f"{me} loads chunk {n + 1}", False, put(s._replace(rows=tuple(rows)), "mark"), v
                return
            if c.tomb and s.env and c.ttl == "joined":
                yield f"{me} finds the run joined in the ledger's database: acknowledges", False, put(s, "ack"), None
                return
            if s.led & b:
                yield f"{me} finds ledger row {n + 1}: skips the load", False, put(s, "mark"), None
            elif not any(x.pc == "commit" and x.n == n for x in s.ws):
                yield f"{me} inserts ledger row {n + 1}, loads (not committed)", False, put(s, "commit"), None
            if c.fail:
                yield f"{me} load of chunk {n + 1} raises", True, put(s, "mfail"), None
            return
        if w.pc == "mfail":
            yield f"{me} mark_failed {n + 1}", False, put(s._replace(failm=s.failm | b), "idle", 0), None
            return
        if w.pc == "commit":
            rows = list(s.rows)
            rows[n] = min(3, rows[n] + 1)
            s2 = s._replace(rows=tuple(rows), led=s.led | b)
            v = "ROWS TWICE" if rows[n] > 1 else None
            if c.ack == "load":
                s2 = s2._replace(acked=s2.acked | b)
                yield f"{me} commits chunk {n + 1}, acknowledges", False, put(s2, "mark"), v
            else:
                yield f"{me} commits chunk {n + 1}", False, put(s2, "mark"), v
            return

        if w.pc == "mark":
            s1, r = self.op_mark(s, n)
            yield f"{me} mark_done {n + 1}: {r}{self._seen(s1, n)}", False, self._marked(s1, i, w, r), None
            if c.lost:
                s2, r2 = self.op_mark(s1, n)
                yield (
                    f"{me} mark_done {n + 1}: applied, response lost, SDK repeats: {r2}{self._seen(s2, n)}",
                    True,
                    self._marked(s2, i, w, r2),
                    None,
                )
            if c.ghost:
                yield (
                    f"{me} mark_done {n + 1}: {r}, a delayed copy stays under way",
                    True,
                    self._marked(s1._replace(gh=s1.gh | b), i, w, r),
                    None,
                )
            return
        if w.pc == "read":  # the failed condition carried no item
            if c.olditem == "stale" and not w.note:
                yield (
                    f"{me} reads the item, eventually consistent: sees it before the last update",
                    True,
                    put(s, "ack"),
                    None,
                )
            yield f"{me} reads the item{self._seen(s, n)}", False, self._marked(s, i, w, "dup", read=True), None
            return
        if w.pc == "count":
            j = n // c.S
            s1, r = self.op_count(s, j)
            yield (
                f"{me} counts full shard {j + 1} into the job: {r}, processed {s1.proc}/{c.N}",
                False,
                self._after_count(s1, i, w, r),
                None,
            )
            if c.lost:
                s2, r2 = self.op_count(s1, j)
                yield (
                    f"{me} counts full shard {j + 1}: applied, response lost, SDK repeats: {r2}, processed {s2.proc}/{c.N}",
                    True,
                    self._after_count(s2, i, w, r2),
                    None,
                )
            if c.ghost:
                yield (
                    f"{me} counts full shard {j + 1}: {r}, a delayed copy stays under way",
                    True,
                    self._after_count(s1._replace(gh=s1.gh | 1 << c.N + j), i, w, r),
                    None,
                )
            return
        if w.pc == "readjob":
            yield f"{me} reads the job's item: processed {s.proc}/{c.N}", False, self._decide(s, i, w), None
            return
        if w.pc == "ack1":  # ack='count': acknowledged before the join is looked after
            yield (
                f"{me} acknowledges event {n + 1}",
                False,
                put(s._replace(acked=s.acked | b), "claim" if w.note else "idle"),
                None,
            )
            return
        if w.pc == "claim":
            yield from self._claim(
                s, w, me, lambda st, pc, tok: self._put(st, i, IDLE if pc == "idle" else P(pc, n, tok))
            )
            return
        if w.pc == "verify":
            yield from self._verify(
                s, w, me, lambda st, pc, tok: self._put(st, i, IDLE if pc == "idle" else P(pc, n, tok))
            )
            return
        if w.pc == "cont":
            yield from self._cont(s, w, me, lambda st, pc, tok: self._put(st, i, P(pc, n, tok)))
            return
        if w.pc == "fin":
            s1, r = self.op_finish(s, w.tok)
            if (c.ghost and w.tok == 1) or (c.ghost and c.finish == "any"):
                yield (
                    f"{me} finish_join: {r}, a delayed copy stays under way",
                    True,
                    put(s1._replace(gh=s1.gh | 2 << 2 * c.N), "ack", 0),
                    None,
                )
            if r == "ok":
                yield f"{me} finish_join: ok", False, put(s1, "ack", 0), None
            else:
                yield (
                    f"{me} finish_join: refused, a later fencing number stands",
                    False,
                    put(s1, "idle" if c.ack == "strict" else "ack", 0),
                    None,
                )
            return
        if w.pc == "ack":
            yield f"{me} acknowledges event {n + 1}", False, put(s._replace(acked=s.acked | b), "idle", 0), None
            return
        raise AssertionError(w)

    def _seen(self, s: St, n: int) -> str:
        c = self.c
        if c.S:
            j = n // c.S
            return f", shard {j + 1} " + ("full" if self.shard_full(s, j) else "not full")
        return f", processed {s.proc}/{c.N}"

    def _marked(self, s: St, i: int, w: P, r: str, read: bool = False) -> St:
        """What a worker does with the answer of mark_done."""
        c = self.c
        if r == "dup" and not read:
            if c.olditem == "none":  # nothing learnt: taken for 'duplicate, done'
                return self._put(s, i, P("ack", w.n))
            if c.olditem in ("read", "stale"):
                return self._put(s, i, P("read", w.n))
        if c.S:
            j = w.n // c.S
            if not self.shard_full(s, j):
                return self._put(s, i, P("ack", w.n))
            if r == "dup" and c.dup_shard == "ack":  # 'learns whether the job is complete': reads, not counts
                return self._put(s, i, P("readjob", w.n))
            return self._put(s, i, P("count", w.n))
        return self._decide(s, i, w)

    def _after_count(self, s: St, i: int, w: P, r: str) -> St:
        if r == "dup" and self.c.olditem in ("read", "stale"):
            return self._put(s, i, P("readjob", w.n))
        if r == "dup" and self.c.olditem == "none":
            return self._put(s, i, P("ack", w.n))
        return self._decide(s, i, w)

    def _decide(self, s: St, i: int, w: P) -> St:
        done = self.complete(s)
        if self.c.ack == "count":
            return self._put(s, i, P("ack1", w.n, 0, int(done)))
        return self._put(s, i, P("claim" if done else "ack", w.n))

    # ---- claim, continuation: shared by worker and sweep -------------------------------------------
    def _claim(self, s: St, w: P, me: str, to):
        c = self.c
        is_sweep = w.pc == "sclaim"
        nxt = {"cont": "scont", "ack": "sjoinend", "verify": "sverify", "idle": "sjoinend"} if is_sweep else {}
        go = lambda st, pc, tok: to(st, nxt.get(pc, pc), tok)

        def answer(st: St, r: str):
            if r == "ok":
                return go(st, "verify" if c.verify else "cont", 1)
            if r == "held" and c.ack == "strict" and not is_sweep:
                return go(st, "idle", 0)
            return go(st, "ack", 0)

        for lost in (False, True) if c.lost else (False,):
            s1, r1 = self.op_claim(s, False)
            if lost:
                s1, r1 = self.op_claim(s1, r1 == "ok")
            v = None
            if r1 == "ok" and s.join in (NONE, LAPSED, JOINED):
                if 0 in s.rows and not c.verify:
                    v = "EARLY JOIN: claimed before every chunk is loaded"
                elif s.join == JOINED or (c.ttl == "joined" and s.env):
                    v = "SECOND JOIN of a finished run"
            how = ": applied, response lost, SDK repeats" if lost else ""
            missing = [k + 1 for k, x in enumerate(s.rows) if x == 0]
            tail = f" (chunks not loaded: {missing})" if v and missing else ""
            yield f"{me} claim_join{how}: {r1}{tail}", lost, answer(s1, r1), v
            if c.ghost and not lost:
                yield (
                    f"{me} claim_join: {r1}, a delayed copy stays under way",
                    True,
                    answer(s1._replace(gh=s1.gh | 1 << 2 * c.N), r1),
                    v,
                )

    def _verify(self, s: St, w: P, me: str, to):
        sw = w.pc == "sverify"
        if s.led == self.all:
            yield (
                f"{me} counts the ledger: {self.c.N} of {self.c.N}",
                False,
                to(s, "scont" if sw else "cont", w.tok),
                None,
            )
        else:
            yield f"{me} counts the ledger: chunks missing, refuses", False, to(s, "sjoinend" if sw else "ack", 0), None

    def _cont(self, s: St, w: P, me: str, to):
        c = self.c
        sw = w.pc == "scont"
        if c.slow and not (w.tok == 2 or s.join != HELD):
            return  # it is still running; the lease will run out first
        v = None
        if any(x == 0 for x in s.rows):
            v = "EARLY JOIN: continuation ran with a chunk not loaded"
        s1 = s._replace(ran=min(2, s.ran + 1))
        yield f"{me} continuation runs (key = run id)", False, to(s1, "sfin" if sw else "fin", w.tok), v
        if c.lost:
            s2 = s1._replace(ran=2)
            yield (
                f"{me} continuation runs: response lost, sent again (same key)",
                True,
                to(s2, "sfin" if sw else "fin", w.tok),
                v,
            )

    # ---- the sweep ---------------------------------------------------------------------------------
    def _sweep(self, s: St):
        c = self.c
        w = s.sw
        put = lambda st, pc, n=0, tok=0: st._replace(sw=IDLE if pc == "idle" else P(pc, n, tok))
        if w.pc == "idle":
            clean = 1 if self.quiet(s) else 0
            first = "sshard" if c.S and "shards" in c.sweep else "sjoin"
            yield "sweep starts", False, put(s._replace(clean=clean), first), None
            return
        if c.sweep_crash:
            yield f"sweep crashes before '{w.pc}'", True, put(s._replace(clean=0), "idle"), None
        clean = s.clean
        if w.pc == "sshard":
            j = w.n
            last = j + 1 == self.K
            nxt = ("sjoin", 0) if last else ("sshard", j + 1)
            if not s.jd >> j & 1 and self.shard_full(s, j):
                yield f"sweep reads shard {j + 1}: full, not counted", False, put(s, "scount", j), None
            else:
                yield f"sweep reads shard {j + 1}: nothing to do", False, put(s, *nxt), None
            return
        if w.pc == "scount":
            s1, r = self.op_count(s, w.n)
            nxt = ("sjoin", 0) if w.n + 1 == self.K else ("sshard", w.n + 1)
            yield f"sweep counts shard {w.n + 1}: {r}, processed {s1.proc}/{c.N}", False, put(s1, *nxt), None
            return
        if w.pc == "sjoin":
            complete = self.complete(s)
            if c.mixed_sum and c.S:
                counted = sum(self.shsize[j] for j in range(self.K) if s.jd >> j & 1)
                complete = complete or (s.proc - counted) + bin(s.done).count("1") >= c.N
            want = (s.join == LAPSED and "lapsed" in c.sweep) or (s.join == NONE and "unclaimed" in c.sweep)
            if complete and want:
                if not self.complete(s):  # mixed job: the sum is written as the count
                    s = s._replace(proc=c.N, jd=(1 << self.K) - 1)
                yield f"sweep reads the job: complete, {JOIN[s.join]}", False, put(s, "sclaim"), None
            else:
                yield (
                    f"sweep reads the job: processed {s.proc}/{c.N}, {JOIN[s.join]}: nothing to do",
                    False,
                    put(s, "sjoinend"),
                    None,
                )
            return
        to = lambda st, pc, tok: st._replace(sw=P(pc, 0, tok))
        if w.pc == "sclaim":
            yield from self._claim(s, w, "sweep", to)
        elif w.pc == "sverify":
            yield from self._verify(s, w, "sweep", to)
        elif w.pc == "scont":
            yield from self._cont(s, w, "sweep", to)
        elif w.pc == "sfin":
            s1, r = self.op_finish(s, w.tok)
            yield f"sweep finish_join: {r}", False, put(s1, "sjoinend"), None
        elif w.pc == "sjoinend":
            v = None
            if clean and s.join != JOINED and self.quiet(s) and self.must_join(s):
                v = "LOST JOIN"
            if clean and s.join == JOINED and c.fail:
                shown = s.failm & ~s.done if c.fail_view == "derived" else s.failm
                if shown:
                    v = "STATUS: joined job still shows a failed chunk"
            if clean and s.join == JOINED and s.ran == 0:
                v = "JOINED WITHOUT CONTINUATION"
            yield (
                "sweep ends" + (": NOT joined" if v == "LOST JOIN" else ""),
                False,
                put(s._replace(clean=0), "idle"),
                v,
            )
        else:
            raise AssertionError(w)
