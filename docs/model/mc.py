"""A small explicit-state model checker: breadth first, states hashed, shortest traces.

A model has
  init()            -> the first state (hashable)
  succ(state)       -> iterable of (label, is_fault, next_state, violation-or-None)
  good(state)       -> True where everything that had to happen has happened (for "can always recover")

explore() visits every reachable state.  It reports, for each kind of violation, the shortest trace
(breadth first, so fewest steps), and two liveness results:
  stuck   states from which no run of non-fault steps reaches a good state   (AG EF good, faults stop)
  lasso   a cycle of non-fault steps holding an edge whose label matches model.progress, none of it good
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from dataclasses import dataclass, field


@dataclass
class Result:
    states: int = 0
    edges: int = 0
    seconds: float = 0.0
    complete: bool = True
    violations: dict = field(default_factory=dict)  # kind -> trace (list of labels)

    @property
    def ok(self) -> bool:
        return not self.violations and self.complete


def explore(model, max_states: int = 6_000_000, liveness: bool = True, stop_first: bool = False) -> Result:
    t0 = time.time()
    res = Result()
    init = model.init()
    ids = {init: 0}
    parent = array("q", [-1])
    plabel: list[str] = [""]
    queue = deque([init])
    src, dst = array("I"), array("I")
    lassos = getattr(model, "progress", None)
    prog_edges: list[tuple[int, int]] = []
    good = bytearray()
    good.append(1 if model.good(init) else 0)

    def trace(i: int, last: str | None = None) -> list[str]:
        out = [last] if last else []
        while i > 0:
            out.append(plabel[i])
            i = parent[i]
        return out[::-1]

    while queue:
        s = queue.popleft()
        i = ids[s]
        for label, fault, nxt, viol in model.succ(s):
            res.edges += 1
            if viol is not None:
                if viol not in res.violations:
                    res.violations[viol] = trace(i, label)
                    if stop_first:
                        res.states = len(ids)
                        res.seconds = time.time() - t0
                        return res
                if not viol.startswith("LOST"):
                    continue  # a broken state is not explored further
            j = ids.get(nxt)
            if j is None:
                j = len(ids)
                if j >= max_states:
                    res.complete = False
                    res.states = j
                    res.seconds = time.time() - t0
                    return res
                ids[nxt] = j
                parent.append(i)
                plabel.append(label)
                good.append(1 if model.good(nxt) else 0)
                queue.append(nxt)
            if liveness and not fault and i != j:
                src.append(i)
                dst.append(j)
                if lassos and lassos in label:
                    prog_edges.append((i, j))
    n = len(ids)
    res.states = n
    if liveness:
        # backward reachability from the good states over non-fault edges
        start = array("I", bytes(4 * (n + 1)))
        for d in dst:
            start[d + 1] += 1
        for k in range(n):
            start[k + 1] += start[k]
        pos = array("I", start[:n])
        pred = array("I", bytes(4 * len(src)))
        for a, d in zip(src, dst):
            pred[pos[d]] = a
            pos[d] += 1
        seen = bytearray(good)
        stack = [k for k in range(n) if good[k]]
        while stack:
            k = stack.pop()
            for x in range(start[k], start[k + 1]):
                a = pred[x]
                if not seen[a]:
                    seen[a] = 1
                    stack.append(a)
        bad = next((k for k in range(n) if not seen[k]), None)
        if bad is not None:
            res.violations.setdefault("stuck: no fault-free continuation ends well", trace(bad))
        if lassos:
            comp = _scc(n, src, dst)
            for a, d in prog_edges:
                if comp[a] == comp[d]:
                    res.violations.setdefault(
                        "lasso: '%s' again and again, never finished" % lassos, trace(a, "...the same again, for ever")
                    )
                    break
    res.seconds = time.time() - t0
    return res


def _scc(n: int, src, dst):
    """Strongly connected components (Tarjan, iterative)."""
    start = array("I", bytes(4 * (n + 1)))
    for a in src:
        start[a + 1] += 1
    for k in range(n):
        start[k + 1] += start[k]
    pos = array("I", start[:n])
    nxt = array("I", bytes(4 * len(src)))
    for a, d in zip(src, dst):
        nxt[pos[a]] = d
        pos[a] += 1
    index = array("q", [-1]) * n
    low = array("q", [0]) * n
    comp = array("q", [-1]) * n
    on = bytearray(n)
    st: list[int] = []
    counter = ncomp = 0
    for root in range(n):
        if index[root] != -1:
            continue
        work = [(root, start[root])]
        index[root] = low[root] = counter
        counter += 1
        st.append(root)
        on[root] = 1
        while work:
            v, p = work[-1]
            if p < start[v + 1]:
                work[-1] = (v, p + 1)
                w = nxt[p]
                if index[w] == -1:
                    index[w] = low[w] = counter
                    counter += 1
                    st.append(w)
                    on[w] = 1
                    work.append((w, start[w]))
                elif on[w]:
                    low[v] = min(low[v], index[w])
            else:
                work.pop()
                if work:
                    u = work[-1][0]
                    low[u] = min(low[u], low[v])
                if low[v] == index[v]:
                    while True:
                        w = st.pop()
                        on[w] = 0
                        comp[w] = ncomp
                        if w == v:
                            break
                    ncomp += 1
    return comp
