"""The join with an operator beside it: replace, clear, rm, retry, split run again, split --force; every I/O a step.

Two chunks, runs A and B of one job, any number of deliveries. What lies in the store, in the tracker, in the
ledger's database; two workers (an idle one is the sweep too); one operator's command and one split at a time, each
may be killed before every I/O and typed again. Chunk 1 of run A has an older and a mended content.

A stored content is one number: 0 nothing, 1 A, 2 A mended (chunk 1 only), 3 B. Rounds (how often the run was
cleared) and fences are only compared for "still the latest", so that a bit does and the states stay finite.
Every switch of Cfg is one reading of the rules; the defaults are the rules that are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

A, B, RM = 1, 2, 4
RUN = (0, A, A, B)  # of a content
TEXT = ("nothing", "A", "A mended", "B")
WHO = {0: "none", A: "A", B: "B", RM: "rm's"}
NONE, HELD, LAPSED, JOINED, FAILED, CLEARING = range(6)
JOIN = ("unclaimed", "held", "lapsed", "joined", "failed", "clearing")


@dataclass(frozen=True)
class Cfg:
    cmds: tuple = ("replace", "clear", "retry", "rejoin")  # also restore, rm, rmforce
    splits: tuple = ()  # 'A': split run again; 'B': split --force with other content
    start: str = "whole"  # whole: objects, manifest, tracker of A, events under way | empty | joined
    workers: int = 2
    bad: bool = False  # chunk 1 of A cannot be loaded until it is mended
    gone: bool = False  # at the start chunk 1's object is lost
    late: str = ""  # a PUT of A's chunk 1, of a killed split, may still land: blind | absent (If-None-Match)
    dups: bool = True
    kills: bool = True
    lost: bool = True
    # replace
    via: str = "ledger"  # what it asks: ledger | tracker
    reserve: bool = True  # the mended checksum is written down where it asks, in the act of asking
    validator: str = "error"  # a ledger row of another content: error | skip
    goon: bool = True  # an object that is FILE already: no question, go on
    put: str = "ifmatch"  # chunk: ifmatch | blind
    manput: str = "ifmatch"  # manifest: ifmatch | blind
    planstops: bool = True  # any plan stops replace, a manifest beside it or not
    joinstops: bool = True  # a joined tracker stops replace (nothing would load the chunk)
    # clear
    claims: bool = True  # takes the join's claim first, in one conditional write
    reset: str = "run"  # the tracker's write is conditional on the run | on what was read before
    finish: str = "round"  # finish_join wants the same run and round | the same run
    markround: bool = True  # mark_done wants the round that was read before the load
    keeps: bool = True  # what replace wrote down outlives clear
    ljcount: bool = True  # the ledger's joined_at is set only over a whole ledger
    order: str = "db"  # db | tracker: what is cleared first
    zombie: bool = False  # report the message of an owner that had lost its lease, too
    # rm and split
    conclude: str = "gone+man"  # today: plan gone is fine | gone: it is not | gone+man: it is if our manifest stands
    recheck: str = "chunks"  # after the manifest, else it goes again: '' no look | plan: ours | chunks: all stand
    splitman: str = "absent"  # split's manifest: If-None-Match * | blind
    plandel: str = "own"  # split and rm delete the plan: own | blind
    looksagain: bool = True  # rm looks again before its plan goes
    rmfirst: str = "manifest"  # manifest | chunks
    forceoverrm: bool = False  # split --force may take the name from a running rm
    resend: str = "ifmatch"  # split's PUT: ifmatch what it saw | blind
    foreign: bool = True  # split without --force stores over no chunk of another run
    replan: bool = True  # split run again over a manifest stores the plan too, if it sends a chunk
    openmended: bool = True  # split run again asks what replace wrote down before it sends that chunk


class W(NamedTuple):
    pc: str
    k: int = 0
    c: int = 0  # content it has opened
    m: int = 0  # holds a message that comes back if it is not acknowledged
    tok: int = 0  # its claim: 0 none, 1 latest, 2 superseded
    cur: int = 1  # read the tracker in this round


IDLE = W("idle")


class Op(NamedTuple):
    pc: str = "idle"
    a: int = 0  # what it saw (object, or run to clear)
    b: int = 0  # what it saw (manifest)
    f: int = 0  # FILE's content, or the split's run


NO = Op()


class St(NamedTuple):
    o: tuple  # objects
    plan: int
    man: int  # 0, 1 A, 2 A with the mended chunk, 3 B
    run: int  # tracker
    done: int
    join: int
    ran: int  # continuation ran in this round
    texp: int  # written down in the tracker by replace
    jr: int  # ledger: job's row
    jj: int  # joined_at
    l: tuple  # ledger rows = rows in the table, one transaction
    exp: int  # written down in the ledger's database by replace
    p: tuple  # messages under way
    seen: int
    late: int
    ws: tuple
    op: Op
    sp: Op
    cut: int = 0  # a split was killed between its manifest and its look again: the name may be damaged


def up(t, k, x):
    return t[:k] + (x,) + t[k + 1 :]


class OperateModel:
    def __init__(self, c: Cfg):
        self.c = c

    def init(self):
        c = self.c
        ws = (IDLE,) * c.workers
        late = ("", "blind", "absent").index(c.late)
        if c.start == "empty":
            return St((0, 0), 0, 0, 0, 0, NONE, 0, 0, 0, 0, (0, 0), 0, (0, 0), 0, late, ws, NO, NO)
        if c.start == "joined":
            return St((1, 1), 0, 1, A, 3, JOINED, 1, 0, A, 1, (1, 1), 0, (0, 0), 3, late, ws, NO, NO)
        o = (0, 1) if c.gone else (1, 1)
        return St(o, 0, 1, A, 0, NONE, 0, 0, 0, 0, (0, 0), 0, (1, 1), 3, late, ws, NO, NO, 1 if c.gone else 0)

    # ---- what must hold --------------------------------------------------------------------------
    def rest(self, s):
        return s.op.pc == "idle" and s.sp.pc == "idle" and all(w.pc == "idle" for w in s.ws)

    def good(self, s):
        if not self.c.workers:  # the store alone
            return (
                self.rest(s)
                and s.plan == 0
                and s.man
                and all(RUN[x] == RUN[s.man] for x in s.o)
                and (s.man == 2) == (s.o[0] == 2)
            )
        return (
            self.rest(s)
            and s.p == (0, 0)
            and s.join == JOINED
            and s.ran == 1
            and all(RUN[x] == s.run for x in s.l)
            and s.plan == 0
            and s.man == s.l[0]
            and s.o == s.l
        )

    def wrong(self, s):
        """A law that this state breaks. Looked at where operator and split are not at work."""
        if s.op.pc != "idle" or s.sp.pc != "idle":
            return None
        r = s.run
        if s.join == JOINED:
            if any(RUN[x] != r for x in s.l) and s.jr <= r:
                return "L4: the tracker says joined, a chunk is not loaded"
            if not s.ran and all(w.pc not in ("cont", "lj", "fin") for w in s.ws):
                return "L5: joined, and this round's continuation never ran"
            if (
                s.man
                and RUN[s.man] == r
                and RUN[s.o[0]] == r
                and s.plan == 0
                and s.man != s.l[0]
                and s.o[0] == s.man
                and s.l[0] not in (s.exp, s.texp)
            ):
                return "L4: joined with another content of chunk 1 than object and manifest have"
        if s.jj and any(RUN[x] != s.jr for x in s.l) and all(w.pc == "idle" for w in s.ws):
            return "ledger: joined_at stands over chunks that are not loaded"
        return None

    def ended(self, s, who):
        """A command of the store ended by itself, with or without success: what does it leave?"""
        if s.cut or s.op.pc != "idle" or s.sp.pc != "idle" or s.plan:
            return None
        if s.man == 2 and s.o[0] == 1 and "restore" not in self.c.cmds:  # else it may be a killed restore's
            return f"store: {who} leaves the old chunk 1 under a manifest that says mended"
        if s.man and any(RUN[x] != RUN[s.man] for x in s.o):
            return f"store: {who} leaves a manifest without all its chunks, and no plan says why"
        return None

    # ---- helpers ---------------------------------------------------------------------------------
    def send(self, s, k):
        return s._replace(p=up(s.p, k, min(2, s.p[k] + 1)), seen=s.seen | 1 << k)

    def store(self, s, k, c):
        """A PUT: the object is there, the store notifies."""
        return self.send(s._replace(o=up(s.o, k, c)), k)

    def stale(self, s, rounds):
        """All claims are superseded; with rounds, all that was read before is of an older round."""
        ws = tuple(w._replace(tok=2 if w.tok else 0, cur=0 if rounds and w.pc != "idle" else w.cur) for w in s.ws)
        return s._replace(ws=tuple(sorted(ws)))

    def succ(self, s):
        for label, fault, nxt, v in self._succ(s):
            yield label, fault, nxt, v or self.wrong(nxt)

    def _succ(self, s):
        c = self.c
        if s.join == HELD:
            live = any(w.tok == 1 for w in s.ws)
            yield ("the lease lapses" + (" while its owner runs" if live else ""), live, s._replace(join=LAPSED), None)
        if s.late == 1 or (s.late and not s.o[0]):
            yield "the late PUT of A's chunk 1 lands", True, self.store(s, 0, 1)._replace(late=0), None
        for i, w in enumerate(s.ws):
            if i and w == s.ws[i - 1] and w.pc == "idle":
                continue
            yield from self._worker(s, i, w, f"w{i + 1}")
        if s.op.pc == "idle":
            for cmd in c.cmds:
                yield from self._begin(s, cmd)
        else:
            if c.kills:
                yield (
                    f"{s.op.pc.split('.')[0] if '.' in s.op.pc else 'the other split'} is killed before '{s.op.pc}'",
                    True,
                    s._replace(op=NO, cut=1 if s.op.pc == "again" else s.cut),
                    None,
                )
            if "." in s.op.pc:
                yield from getattr(self, "_" + s.op.pc.split(".")[0])(s, s.op)
            else:
                yield from self._split(s, s.op, "op")
        if s.sp.pc == "idle":
            for x in c.splits:
                yield from self._split_begin(s, A if x == "A" else B, "sp")
        else:
            if c.kills:
                cut = 1 if s.sp.pc == "again" else s.cut
                yield f"split is killed before '{s.sp.pc}'", True, s._replace(sp=NO, cut=cut), None
            yield from self._split(s, s.sp, "sp")

    # ---- worker and sweep ------------------------------------------------------------------------
    def _w(self, s, i, w, **kw):
        ws = list(s.ws)
        ws[i] = w
        ws.sort()
        return s._replace(ws=tuple(ws), **kw)

    def _nack(self, s, i, w):
        p = up(s.p, w.k, min(2, s.p[w.k] + 1)) if w.m else s.p
        return self._w(s, i, IDLE, p=p)

    def _acked(self, s, i, w, why):
        """The event is done with. Was it, silently, another content than the table has?"""
        r = RUN[w.c]
        v = None
        # where FILEs go to and fro, the table may have what was asked for last, and a killed command its object
        asked = s.exp or s.texp if w.k == 0 and "restore" in self.c.cmds else 0
        if w.c and RUN[s.l[w.k]] == r and s.l[w.k] != w.c == s.o[w.k] and s.l[w.k] != asked:
            v = f"SILENT: chunk {w.k + 1} as {TEXT[w.c]} is acknowledged ({why}), the table has {TEXT[s.l[w.k]]}"
        return self._w(s, i, IDLE), v

    def _fails(self, s, i, w, me, why):
        yield f"{me}: {why}; the event goes to the dead letters", False, self._w(s, i, IDLE), None
        if w.m:
            yield f"{me}: {why}; the event comes again", False, self._nack(s, i, w), None

    def _worker(self, s, i, w, me):
        c, k, r = self.c, w.k, RUN[w.c]
        if w.pc == "idle":
            for n in range(2):
                if s.p[n] or (c.dups and s.seen >> n & 1):
                    dup = not s.p[n]
                    s1 = s if dup else s._replace(p=up(s.p, n, s.p[n] - 1))
                    again = " again" if dup else ""
                    if not s.o[n]:
                        if not dup:
                            yield f"{me} receives event {n + 1}: no such object; to the dead letters", False, s1, None
                    else:
                        yield (
                            f"{me} receives event {n + 1}{again}, opens the object: {TEXT[s.o[n]]}",
                            dup,
                            self._w(s1, i, W("std", n, s.o[n], 0 if dup else 1)),
                            None,
                        )
            if s.done == 3 and s.join in (NONE, LAPSED):
                yield (
                    f"{me} sweeps: the job is complete and {JOIN[s.join]}",
                    False,
                    self._w(s, i, W("claim", 0, 3 if s.run == B else 1)),
                    None,
                )
            return
        if c.kills:
            yield f"{me} crashes before '{w.pc}'", True, self._nack(s, i, w), None
        if w.pc == "std":
            if s.run == 0:
                if s.jj and s.jr == r:
                    nx, v = self._acked(s, i, w, "the ledger says joined")
                    yield f"{me} finds the run joined in the ledger, acknowledges", False, nx, v
                else:
                    yield (
                        f"{me} opens the job in the tracker",
                        False,
                        self._w(s, i, w._replace(pc="commit"), run=r),
                        None,
                    )
            elif s.run > r:
                nx, v = self._acked(s, i, w, "an older run")
                yield f"{me} reads the tracker: a newer run, acknowledges", False, nx, v
            elif s.run < r:
                yield from self._fails(s, i, w, me, "another run in the tracker")
            elif s.join == JOINED:
                nx, v = self._acked(s, i, w, "joined")
                yield f"{me} reads the tracker: joined, acknowledges", False, nx, v
            else:
                yield (
                    f"{me} reads the tracker: {JOIN[s.join]}",
                    False,
                    self._w(s, i, w._replace(pc="commit", cur=1)),
                    None,
                )
            return
        if w.pc == "commit":
            if c.bad and k == 0 and w.c == 1:
                yield from self._fails(s, i, w, me, "a bad row, rolled back")
                return
            jr, jj, l, exp = s.jr, s.jj, s.l, s.exp
            if jr > r:
                nx, v = self._acked(s, i, w, "an older run")
                yield f"{me} finds a newer run in the job's row, acknowledges", False, nx, v
                return
            if jr < r:
                jr, jj, l, exp = r, 0, tuple(x if RUN[x] == r else 0 for x in l), exp if RUN[exp] == r else 0
            if c.reserve and k == 0 and exp and exp != w.c:
                yield from self._fails(s, i, w, me, f"the ledger expects {TEXT[exp]}, this is {TEXT[w.c]}")
                return
            if l[k] and l[k] != w.c:
                if c.validator == "error":
                    yield from self._fails(s, i, w, me, f"the ledger has {TEXT[l[k]]}, this is {TEXT[w.c]}")
                else:
                    nx = self._w(s, i, w._replace(pc="mark"))
                    yield (
                        f"{me} finds ledger row {k + 1} of another content, skips",
                        False,
                        nx,
                        "SILENT: skipped, other content",
                    )
                return
            what = "finds ledger row" if l[k] else "commits the load of chunk"
            yield (
                f"{me} {what} {k + 1} ({TEXT[w.c]})",
                False,
                self._w(s, i, w._replace(pc="mark"), jr=jr, jj=jj, l=up(l, k, w.c), exp=exp),
                None,
            )
            return
        if w.pc == "mark":
            if s.run > r:
                nx, v = self._acked(s, i, w, "an older run")
                yield f"{me} mark_done: superseded", False, nx, v
            elif c.markround and not w.cur:
                yield (
                    f"{me} mark_done: cleared since the load began; the event comes again",
                    False,
                    self._nack(s, i, w._replace(m=1)),
                    None,
                )
            elif c.reserve and k == 0 and s.texp and s.texp != w.c:
                yield from self._fails(
                    s, i, w, me, f"mark_done: the tracker expects {TEXT[s.texp]}, loaded is {TEXT[w.c]}"
                )
            else:
                s1 = s._replace(done=s.done | 1 << k)
                if s1.done == 3:
                    yield f"{me} mark_done {k + 1}: complete", False, self._w(s1, i, w._replace(pc="claim")), None
                else:
                    nx, v = self._acked(s1, i, w, "counted")
                    yield f"{me} mark_done {k + 1}, acknowledges", False, nx, v
            return
        if w.pc == "claim":
            if s.run != r or s.join in (JOINED, HELD):
                nx, v = self._acked(s, i, w, "joined or held") if w.m else (self._w(s, i, IDLE), None)
                yield f"{me} claim_join: {JOIN[s.join]}", False, nx, v
            elif s.done != 3 or s.join in (FAILED, CLEARING):
                yield from self._fails(s, i, w, me, f"claim_join refused: {JOIN[s.join]}")
            else:
                s1 = self.stale(self._w(s, i, IDLE), False)
                ws = list(s1.ws)
                ws.remove(IDLE)
                ws = tuple(sorted(ws + [w._replace(pc="ver", tok=1, cur=1)]))
                yield f"{me} claims the join", False, s1._replace(ws=ws, join=HELD), None
            return
        if w.pc == "ver":
            if all(RUN[x] == r for x in s.l):
                yield f"{me} counts the ledger: 2 of 2", False, self._w(s, i, w._replace(pc="cont")), None
            else:
                j = FAILED if w.tok == 1 and s.join in (HELD, LAPSED) else s.join
                yield f"{me} counts the ledger: chunks missing, join failed", False, self._w(s, i, IDLE, join=j), None
            return
        if w.pc == "cont":
            v = None
            if any(RUN[x] != r for x in s.l) and s.run == r and (c.zombie or (w.tok == 1 and s.join == HELD)):
                v = "L4: the continuation runs over chunks that are not loaded"
            yield (
                f"{me} continuation runs",
                False,
                self._w(s, i, w._replace(pc="lj"), ran=1 if w.cur and s.run == r else s.ran),
                v,
            )
            return
        if w.pc == "lj":
            ok = s.jr == r and (not c.ljcount or all(RUN[x] == r for x in s.l))
            yield (
                f"{me} ledger's joined_at{'' if ok else ': refused'}",
                False,
                self._w(s, i, w._replace(pc="fin"), jj=1 if ok else s.jj),
                None,
            )
            return
        if w.pc == "fin":
            ok = s.run == r and s.join in (HELD, LAPSED, FAILED) and (w.cur or c.finish == "run")
            yield (
                f"{me} finish_join{'' if ok else ': refused'}",
                False,
                self._w(s, i, IDLE, join=JOINED if ok else s.join),
                None,
            )
            return
        raise AssertionError(w)

    # ---- the operator ----------------------------------------------------------------------------
    def _begin(self, s, cmd):
        if cmd in ("replace", "restore"):
            f = 2 if cmd == "replace" else 1
            if s.man not in (1, 2) or (self.c.planstops and s.plan) or (f == 1 and s.man != 1):
                return
            yield (
                f"{cmd}: reads manifest and object ({TEXT[s.o[0]]})",
                False,
                s._replace(op=Op("replace.ask", s.o[0], s.man, f)),
                None,
            )
        elif cmd == "clear":
            if s.jr:
                yield f"clear: reads the ledger, run {WHO[s.jr]}", False, s._replace(op=Op("clear.look", s.jr)), None
        elif cmd in ("rm", "rmforce"):
            if not (s.man or s.plan or any(s.o)):
                return
            if cmd == "rmforce" or s.run == 0 or s.join == JOINED:
                yield f"{cmd}: reads the tracker", False, s._replace(op=Op("rm.plan")), None
        elif cmd == "retry":
            if s.run and s.done != 3:
                s1 = s
                for k in range(2):
                    if not s.done >> k & 1 and s.o[k]:
                        s1 = self.send(s1, k)
                if s1 != s:
                    yield "retry: sends the missing chunks", False, s1, None
        elif cmd == "split":
            yield from self._split_begin(s, A, "op")
        elif cmd == "rejoin":
            if s.join == FAILED:
                s1 = s
                for k in range(2):
                    if s.o[k]:
                        s1 = self.send(s1, k)
                yield "retry --counted, retry --join", False, s1._replace(join=NONE), None

    def _replace(self, s, op):
        c = self.c
        k, f = 0, op.f
        go = lambda st, pc: st._replace(op=op._replace(pc="replace." + pc) if pc else NO)
        end = lambda why: (f"replace ends with exit 1: {why}", False, go(s, None), None)
        if op.pc == "replace.ask":
            mine = c.goon and (op.a == f or (c.via == "ledger" and s.l[k] == f))
            if c.joinstops and s.run == A and s.join == JOINED and not mine:
                yield end("joined")
                return
            if c.via == "ledger":
                if s.l[k] and not (c.goon and s.l[k] == f):
                    yield end("loaded already")
                elif s.jr > A:
                    yield end("another run has the job")
                else:
                    s1 = s._replace(exp=f, jr=s.jr or A) if c.reserve else s
                    what = "has FILE's row" if s.l[k] else "has no such row"
                    yield (
                        f"replace: the ledger {what}" + (", writes the checksum down" if c.reserve else ""),
                        False,
                        go(s1, "note"),
                        None,
                    )
            elif s.run != A or (s.done & 1 and not mine):
                yield end("counted already")
            else:
                s1 = s._replace(texp=f) if c.reserve and not s.done & 1 else s
                yield (
                    "replace: the tracker has not counted it" + (", writes the checksum down" if c.reserve else ""),
                    False,
                    go(s1, "put"),
                    None,
                )
        elif op.pc == "replace.note":
            s1 = s._replace(texp=f) if c.reserve and s.run == A else s
            yield "replace: the tracker is told the checksum", False, go(s1, "put"), None
        elif op.pc == "replace.put":
            if s.o[k] == f and op.a == f:
                yield "replace: the object is FILE already", False, go(s, "man"), None
            elif c.put == "blind" or s.o[k] == op.a:
                yield f"replace: stores chunk 1 as {TEXT[f]}", False, go(self.store(s, k, f), "man"), None
            else:
                yield end("the object has changed")
        elif op.pc == "replace.man":
            want = f
            if s.man == want and op.b == want:
                yield "replace: the manifest says so already", False, go(s, "event"), None
            elif c.manput == "blind" or s.man == op.b:
                yield "replace: writes the manifest", False, go(s._replace(man=want), "event"), None
                if c.lost:
                    yield (
                        "replace: writes the manifest, its answer is lost, repeats, 412, reads its own",
                        True,
                        go(s._replace(man=want), "event"),
                        None,
                    )
            else:
                yield end("the manifest has changed")
        elif op.pc == "replace.event":
            yield "replace: takes the failure back, sends the event", False, go(self.send(s, k), None), None

    def _clear(self, s, op):
        c, r = self.c, op.a
        go = lambda st, pc: st._replace(op=op._replace(pc="clear." + pc) if pc else NO)
        first, second = ("db", "tracker") if c.order == "db" else ("tracker", "db")
        if op.pc == "clear.look":
            if s.run != r:
                nx = s._replace(op=op._replace(pc="clear.db", b=1))
                yield "clear: the tracker has another run", False, nx, None
            elif s.join == HELD:
                yield "clear is refused: a lease is alive", False, go(s, None), None
            elif c.claims:
                yield (
                    "clear: takes the join's claim",
                    False,
                    go(self.stale(s, False)._replace(join=CLEARING), first),
                    None,
                )
            else:
                yield "clear: no lease is alive", False, go(s, first), None
        elif op.pc == "clear.db":
            l = tuple(0 if RUN[x] == r else x for x in s.l)
            jj = 0 if s.jr == r else s.jj
            exp = s.exp if c.keeps or RUN[s.exp] != r else 0
            s1 = s._replace(l=l, jj=jj, exp=exp)
            last = op.b or first == "tracker"
            yield (
                f"clear: deletes the rows and ledger rows of run {WHO[r]}",
                False,
                go(s1, None if last else "tracker"),
                None,
            )
        elif op.pc == "clear.tracker":
            if c.reset == "run" and s.run != r:
                yield (
                    "clear: the tracker has another run now, leaves it",
                    False,
                    go(s, None if first == "db" else "db"),
                    None,
                )
            elif c.claims and s.join != CLEARING:
                yield "clear: its claim is gone, ends with exit 1", False, go(s, None), None
            else:
                s1 = self.stale(s, True)._replace(done=0, join=NONE, ran=0)
                if not c.keeps:
                    s1 = s1._replace(texp=0)
                yield "clear: counts and join begin again", False, go(s1, None if first == "db" else "db"), None

    def _rm(self, s, op):
        c = self.c
        go = lambda st, pc: st._replace(op=op._replace(pc="rm." + pc) if pc else NO)
        steps = ["man", "one", "two", "end"] if c.rmfirst == "manifest" else ["one", "two", "man", "end"]
        if op.pc == "rm.plan":
            yield "rm: puts its plan", False, go(s._replace(plan=RM), steps[0]), None
            return
        now = op.pc.split(".")[1]
        s = s._replace(cut=0 if now == "man" else s.cut)
        nxt = steps[steps.index(now) + 1] if now != "end" else None
        if now == "man":
            yield "rm: removes the manifest", False, go(s._replace(man=0), nxt), None
        elif now in ("one", "two"):
            k = 0 if now == "one" else 1
            yield f"rm: removes chunk {k + 1}", False, go(s._replace(o=up(s.o, k, 0)), nxt), None
        else:
            if c.looksagain and s.plan == RM and (s.man or any(s.o)):
                yield "rm: something is there again, begins over", False, go(s, steps[0]), None
                return
            plan = 0 if c.plandel == "blind" or s.plan == RM else s.plan
            nx = go(s._replace(plan=plan), None)
            yield "rm: removes its plan", False, nx, self.ended(nx, "rm")

    # ---- split -----------------------------------------------------------------------------------
    def _taken(self, s, x):
        """Exit 11?"""
        force = x == B
        if s.plan == RM:
            return not (force and self.c.forceoverrm)
        if force:
            return False
        return s.plan not in (0, A) or s.man not in (0, 1, 2) or s.run == B

    def _split_begin(self, s, x, slot):
        if self._taken(s, x):
            return
        if x == B and s.run != B:
            s1 = self.stale(s, True)._replace(run=B, done=0, join=NONE, ran=0, texp=0)
        else:
            s1 = s._replace(run=s.run or x)
        # b: a manifest of this run stood when it looked
        other = "other " if slot == "op" else ""
        yield (
            f"{other}split {WHO[x]}{' --force' if x == B else ''}: opens the job",
            False,
            s1._replace(**{slot: Op("claim", 0, 1 if RUN[s.man] == x else 0, x)}),
            None,
        )

    def _split(self, s, sp, slot):
        c, x = self.c, sp.f
        code = 1 if x == A else 3
        go = lambda st, pc, **kw: st._replace(**{slot: sp._replace(pc=pc, **kw) if pc else NO})
        me = f"{'other ' if slot == 'op' else ''}split {WHO[x]}"
        end = lambda why: (
            f"{me} ends with exit 11: {why}",
            False,
            go(s, None),
            self.ended(go(s, None), "split (exit 11)"),
        )
        if sp.pc == "claim":
            if self._taken(s, x):
                yield end("the name is taken")
                return
            has = 1 if RUN[s.man] == x else 0
            if has:
                plan = x if c.replan and any(RUN[y] != x for y in s.o) and s.plan in (0, x) else s.plan
                yield (
                    f"{me}: a manifest of this run stands" + (", puts its plan" if plan != s.plan else ""),
                    False,
                    go(s._replace(plan=plan), "head1", b=1),
                    None,
                )
            else:
                yield f"{me}: puts its plan", False, go(s._replace(plan=x), "unman" if s.man else "head1", b=0), None
        elif sp.pc == "unman":
            yield (
                f"{me}: removes the other manifest",
                False,
                go(s._replace(man=0 if RUN[s.man] != x else s.man), "head1"),
                None,
            )
        elif sp.pc in ("head1", "head2"):
            k = int(sp.pc[-1]) - 1
            nxt = "head2" if k == 0 else "check"
            if RUN[s.o[k]] == x:
                yield f"{me}: chunk {k + 1} is stored", False, go(s, nxt), None
            elif c.foreign and s.o[k] and x == A:
                yield end("another run's chunk lies there")
            elif c.openmended and k == 0 and s.texp == 2 and x == A and s.run == A:
                if s.done & 1:
                    yield end("chunk 1 was loaded as replace gave it, and this source has the old one")
                else:
                    yield (
                        f"{me}: takes back what replace told the tracker",
                        False,
                        go(s._replace(texp=1), f"put{k + 1}", a=s.o[k]),
                        None,
                    )
            else:
                yield f"{me}: chunk {k + 1} is {TEXT[s.o[k]]}", False, go(s, f"put{k + 1}", a=s.o[k]), None
        elif sp.pc in ("put1", "put2"):
            k = int(sp.pc[-1]) - 1
            nxt = "head2" if k == 0 else "check"
            if c.resend == "blind" or s.o[k] == sp.a:
                yield f"{me}: stores chunk {k + 1}", False, go(self.store(s, k, code), nxt, a=0), None
            else:
                yield f"{me}: chunk {k + 1} has changed meanwhile, looks again", False, go(s, f"head{k + 1}", a=0), None
        elif sp.pc == "check":
            ours = s.plan == x
            gone = s.plan == 0 and (c.conclude == "today" or (c.conclude == "gone+man" and RUN[s.man] == x))
            if sp.b and c.conclude == "today":
                yield f"{me}: its manifest stood already", False, go(s, "unplan"), None
            elif not (ours or gone):
                yield end("its plan is gone" if s.plan == 0 else "another's plan stands")
            elif RUN[s.man] == x:
                yield f"{me}: its manifest stands", False, go(s, "unplan"), None
            else:
                yield f"{me}: its plan stands", False, go(s, "man"), None
        elif sp.pc == "man":
            m = 3 if x == B else (2 if s.o[0] == 2 else 1)
            if c.splitman == "absent" and s.man:
                if RUN[s.man] == x:
                    yield f"{me}: its manifest stands by now", False, go(s, "again" if c.recheck else "unplan"), None
                elif s.plan == x:
                    yield f"{me}: removes another run's manifest", False, go(s._replace(man=0), "man"), None
                else:
                    yield end("another run's manifest stands")
                return
            yield f"{me}: writes the manifest", False, go(s._replace(man=m), "again" if c.recheck else "unplan"), None
        elif sp.pc == "again":
            if s.plan == x if c.recheck == "plan" else s.plan in (0, x) and all(RUN[y] == x for y in s.o):
                yield f"{me}: looks again, all is well", False, go(s._replace(cut=0), "unplan"), None
            else:
                nx = go(s._replace(man=0 if RUN[s.man] == x else s.man), None)
                yield (
                    f"{me}: looks again, takes the manifest back, exit 11",
                    False,
                    nx,
                    self.ended(nx, "split (exit 11)"),
                )
        elif sp.pc == "unplan":
            plan = 0 if c.plandel == "blind" or s.plan == x else s.plan
            nx = go(s._replace(plan=plan, cut=s.cut if s.man and any(RUN[y] != RUN[s.man] for y in s.o) else 0), None)
            yield f"{me}: removes its plan", False, nx, self.ended(nx, "split (exit 0)")
        else:
            raise AssertionError(sp)
