/* The walk over a block, included once for each kind of machine: kernel.c defines NAMED, TARGET,
   VECTOR, SPREAD, EQUAL_BITS and PREFIX_XOR, and BATCHES where there is a way to take many words at once. */

/* The bytes behind an active escape character: in a run of them every other one is active, counted from the first. */
TARGET static inline uint64_t NAMED(escaped)(uint64_t escapes, uint64_t *carried) {
    const uint64_t even = UINT64_C(0x5555555555555555);
    escapes &= ~*carried;
    const uint64_t follows = escapes << 1 | *carried;
    const uint64_t odd_starts = escapes & ~even & ~follows;
    uint64_t sequences;
    *carried = __builtin_add_overflow(odd_starts, escapes, &sequences);
    return (even ^ sequences << 1) & follows;
}

/* What to compare with, made once a block. */
struct NAMED(needles) {
    VECTOR quote, feed, delimiter, ret, escape;
    uint64_t has_quote, has_return, has_escape; /* all ones, or 0: the dialect has none, or a CR is data */
};

TARGET static inline struct NAMED(needles) NAMED(needles_of)(const struct dialect *dialect) {
    struct NAMED(needles) needles;
    needles.quote = SPREAD((char)dialect->quote);
    needles.feed = SPREAD('\n');
    needles.delimiter = SPREAD((char)dialect->delimiter);
    needles.ret = SPREAD((char)dialect->ret);
    needles.escape = SPREAD((char)dialect->escape);
    needles.has_quote = dialect->quote < 0 ? 0 : ~UINT64_C(0);
    needles.has_escape = dialect->escape < 0 ? 0 : ~UINT64_C(0);
    needles.has_return = dialect->ret < 0 ? 0 : ~UINT64_C(0);
    return needles;
}

ALWAYS TARGET static inline struct word NAMED(read_word)(const uint8_t *bytes, const struct NAMED(needles) *needles,
                                                         int escapes) {
    struct word word;
    word.quotes = EQUAL_BITS(bytes, needles->quote) & needles->has_quote;
    word.feeds = EQUAL_BITS(bytes, needles->feed);
    word.delimiters = EQUAL_BITS(bytes, needles->delimiter);
    word.returns = EQUAL_BITS(bytes, needles->ret) & needles->has_return;
    word.escapes = escapes ? EQUAL_BITS(bytes, needles->escape) : 0;
    return word;
}

/* Bits from ``valid`` on are 0 in all but ``outside``. */
ALWAYS TARGET static inline struct seen NAMED(see)(struct word word, struct carry *carry, int escapes, uint64_t valid) {
    struct seen seen;
    seen.escaped = 0;
    if (escapes) {
        const uint64_t data = NAMED(escaped)(word.escapes, &carry->escaped);
        word.quotes &= ~data;
        word.feeds &= ~data;
        word.delimiters &= ~data;
        word.returns &= ~data;
        seen.escaped = data;
    }
    const uint64_t inside = PREFIX_XOR(word.quotes) ^ carry->inside;
    seen.outside = ~inside;
    seen.feeds = word.feeds & ~inside;
    seen.delimiters = word.delimiters & ~inside;
    const uint64_t returns = word.returns & ~inside;
    /* Data beside a quote, outside quotes: before an opening one, or behind a closing one. */
    const uint64_t data = ~(inside | word.feeds | word.delimiters | word.quotes | word.returns) & valid;
    seen.closers = (word.quotes << 1 | carry->quote) & data;
    seen.strays = word.quotes & (data << 1 | carry->data);
    const uint64_t behind = returns << 1 | carry->ret;
    seen.crlf = behind & word.feeds;
    seen.lone_after = behind & ~word.feeds & valid;
    carry->inside = (uint64_t)((int64_t)inside >> 63);
    carry->quote = word.quotes >> 63;
    carry->data = data >> 63;
    carry->ret = returns >> 63;
    return seen;
}

TARGET static inline struct carry NAMED(enter)(int32_t state) {
    struct carry carry;
    carry.inside = state == QUOTED || state == ESCAPED_QUOTED ? ~UINT64_C(0) : 0;
    carry.quote = state == CLOSED;
    carry.data = state == DATA;
    carry.ret = state == RETURNED;
    carry.escaped = state == ESCAPED || state == ESCAPED_QUOTED;
    return carry;
}

/* The last ``left`` bytes of a block, fewer than a word has. */
TARGET static inline struct word NAMED(read_last)(const uint8_t *bytes, size_t left,
                                                  const struct NAMED(needles) *needles, int escapes) {
    uint8_t last[64];
    memset(last, 0, sizeof last);
    memcpy(last, bytes, left);
    struct word word = NAMED(read_word)(last, needles, escapes);
    const uint64_t valid = (UINT64_C(1) << left) - 1; /* a byte of 0 may be the delimiter */
    word.quotes &= valid;
    word.feeds &= valid;
    word.delimiters &= valid;
    word.returns &= valid;
    word.escapes &= valid;
    return word;
}

/* What is known of a block so far. */
struct NAMED(tally) {
    struct carry carry;
    struct seen seen;
    struct word word;
    int64_t records, delimiters, crlf, first_end, stray, stray_closes, lone;
    /* The word of the last record end, what was carried into it, and the delimiters before it. */
    uint64_t last_word, last_inside, last_escaped, last_delimiters;
};

ALWAYS TARGET static inline void NAMED(step)(struct NAMED(tally) *tally, struct word word, size_t at, int escapes,
                                             uint64_t valid) {
    const struct carry before = tally->carry;
    const struct seen seen = NAMED(see)(word, &tally->carry, escapes, valid);
    if (__builtin_expect((seen.strays | seen.closers) != 0 && tally->stray == NOT_FOUND, 0)) {
        const int64_t opening = seen.strays ? __builtin_ctzll(seen.strays) : 64;
        const int64_t closing = seen.closers ? (int64_t)__builtin_ctzll(seen.closers) - 1 : 64;
        tally->stray_closes = closing < opening;
        tally->stray = (int64_t)at + (closing < opening ? closing : opening);
    }
    if (__builtin_expect(seen.lone_after != 0 && tally->lone == NOT_FOUND, 0))
        tally->lone = (int64_t)at + (int64_t)__builtin_ctzll(seen.lone_after) - 1;
    if (__builtin_expect(seen.feeds != 0 && tally->first_end == NO_OFFSET, 0))
        tally->first_end = (int64_t)at + (int64_t)__builtin_ctzll(seen.feeds) + 1;
    /* Without a branch: whether a word has a record end is a coin's toss. */
    const uint64_t kept = seen.feeds ? 0 : ~UINT64_C(0);
    tally->last_word = (tally->last_word & kept) | (at & ~kept);
    tally->last_inside = (tally->last_inside & kept) | (before.inside & ~kept);
    tally->last_delimiters = (tally->last_delimiters & kept) | ((uint64_t)tally->delimiters & ~kept);
    if (escapes) tally->last_escaped = (tally->last_escaped & kept) | (before.escaped & ~kept);
    tally->records += __builtin_popcountll(seen.feeds);
    tally->delimiters += __builtin_popcountll(seen.delimiters);
    tally->crlf += __builtin_popcountll(seen.crlf);
    tally->seen = seen;
    tally->word = word;
}

TARGET static inline int NAMED(is_defect)(const struct NAMED(tally) *tally) {
    return tally->stray != NOT_FOUND || tally->lone != NOT_FOUND;
}

#ifdef BATCHES
/* Takes words from the block's start on, up to a defect, never the last one; the bytes it took. */
TARGET static size_t NAMED(batches)(struct NAMED(tally) *tally, const uint8_t *block, size_t size,
                                    const struct NAMED(needles) *needles);
#endif

/* The state after the last byte. */
TARGET static inline int64_t NAMED(end_state)(const struct NAMED(tally) *tally, const uint8_t *block, size_t size,
                                              const struct dialect *dialect, int escapes) {
    const int last = (int)((size - 1) & 63);
    const int outside = (int)(tally->seen.outside >> last & 1);
    const int is_data = (int)(tally->seen.escaped >> last & 1);
    const uint8_t byte = block[size - 1];
    if (escapes && byte == dialect->escape && !is_data) return outside ? ESCAPED : ESCAPED_QUOTED;
    if (!outside) return QUOTED;
    if (is_data) return DATA;
    if (byte == dialect->quote) return CLOSED;
    if (byte == '\n' || byte == dialect->delimiter) return FIELD;
    return byte == dialect->ret ? RETURNED : DATA;
}

ALWAYS TARGET static inline void NAMED(walk)(const uint8_t *block, size_t size, const struct dialect *dialect,
                                             int32_t state, int escapes, struct outcome *out) {
    const struct NAMED(needles) needles = NAMED(needles_of)(dialect);
    const size_t whole = size & ~(size_t)63;
    struct NAMED(tally) tally;
    memset(&tally, 0, sizeof tally);
    tally.carry = NAMED(enter)(state);
    tally.first_end = NO_OFFSET;
    tally.stray = tally.lone = NOT_FOUND;
    size_t at = 0;
#ifdef BATCHES
    if (!escapes) at = NAMED(batches)(&tally, block, size, &needles);
#endif
    for (; at < whole && !NAMED(is_defect)(&tally); at += 64)
        NAMED(step)(&tally, NAMED(read_word)(block + at, &needles, escapes), at, escapes, ~UINT64_C(0));
    if (whole < size && !NAMED(is_defect)(&tally)) {
        const struct word word = NAMED(read_last)(block + whole, size - whole, &needles, escapes);
        NAMED(step)(&tally, word, whole, escapes, (UINT64_C(1) << (size - whole)) - 1);
    }
    memset(out, 0, sizeof *out);
    out->first_end = out->last_end = NO_OFFSET;
    out->stray = tally.stray;
    out->stray_closes = tally.stray_closes;
    out->lone = tally.lone;
    if (NAMED(is_defect)(&tally)) return; /* what comes after it has no right reading */
    out->end = NAMED(end_state)(&tally, block, size, dialect, escapes);
    out->records = tally.records;
    out->first_end = tally.first_end;
    out->crlf = tally.crlf;
    out->delimiters = tally.delimiters;
    out->tail = tally.delimiters;
    if (tally.records) {
        const size_t at = tally.last_word;
        struct carry carry = {tally.last_inside, 0, 0, 0, tally.last_escaped};
        const struct word word = at < whole ? NAMED(read_word)(block + at, &needles, escapes)
                                            : NAMED(read_last)(block + at, size - at, &needles, escapes);
        const struct seen seen = NAMED(see)(word, &carry, escapes, ~UINT64_C(0));
        const int bit = 63 - __builtin_clzll(seen.feeds);
        const uint64_t up_to = ~UINT64_C(0) >> (63 - bit);
        out->last_end = (int64_t)at + bit + 1;
        out->tail -= (int64_t)tally.last_delimiters + __builtin_popcountll(seen.delimiters & up_to);
    }
}

TARGET static void NAMED(scan)(const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                               struct outcome *out) {
    if (dialect->escape >= 0)
        NAMED(walk)(block, size, dialect, state, 1, out);
    else
        NAMED(walk)(block, size, dialect, state, 0, out);
}

TARGET static int64_t NAMED(ends)(const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                                  int64_t base, int64_t *ends, int64_t room) {
    const struct NAMED(needles) needles = NAMED(needles_of)(dialect);
    const int escapes = dialect->escape >= 0;
    struct carry carry = NAMED(enter)(state);
    int64_t count = 0;
    for (size_t at = 0; at < size; at += 64) {
        const struct word word = size - at >= 64 ? NAMED(read_word)(block + at, &needles, escapes)
                                                 : NAMED(read_last)(block + at, size - at, &needles, escapes);
        uint64_t feeds = NAMED(see)(word, &carry, escapes, ~UINT64_C(0)).feeds;
        for (; feeds; feeds &= feeds - 1, count++)
            if (count < room) ends[count] = base + (int64_t)at + (int64_t)__builtin_ctzll(feeds) + 1;
    }
    return count;
}

TARGET static void NAMED(before)(const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                                 const int64_t *places, size_t count, int64_t *before) {
    const struct NAMED(needles) needles = NAMED(needles_of)(dialect);
    const int escapes = dialect->escape >= 0;
    struct carry carry = NAMED(enter)(state);
    int64_t delimiters = 0;
    size_t next = 0;
    for (size_t at = 0; at < size && next < count; at += 64) {
        const struct word word = size - at >= 64 ? NAMED(read_word)(block + at, &needles, escapes)
                                                 : NAMED(read_last)(block + at, size - at, &needles, escapes);
        const uint64_t found = NAMED(see)(word, &carry, escapes, ~UINT64_C(0)).delimiters;
        for (; next < count && places[next] < (int64_t)at + 64; next++) {
            const uint64_t below = (UINT64_C(1) << (places[next] - (int64_t)at)) - 1;
            before[next] = delimiters + __builtin_popcountll(found & below);
        }
        delimiters += __builtin_popcountll(found);
    }
    for (; next < count; next++) before[next] = delimiters;
}

/* The first record that ends in the block with other than ``expected`` delimiters (-1: than the first one to end here),
   ``before`` of the record under way having come already: its start (NO_OFFSET: before the block) and its delimiters. */
TARGET static int NAMED(ragged)(const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                                int64_t before, int64_t expected, int64_t *found) {
    const struct NAMED(needles) needles = NAMED(needles_of)(dialect);
    const int escapes = dialect->escape >= 0;
    struct carry carry = NAMED(enter)(state);
    int64_t start = NO_OFFSET, delimiters = before; /* of the record under way */
    for (size_t at = 0; at < size; at += 64) {
        const struct word word = size - at >= 64 ? NAMED(read_word)(block + at, &needles, escapes)
                                                 : NAMED(read_last)(block + at, size - at, &needles, escapes);
        const struct seen seen = NAMED(see)(word, &carry, escapes, ~UINT64_C(0));
        uint64_t ahead = seen.delimiters;
        for (uint64_t feeds = seen.feeds; feeds; feeds &= feeds - 1) {
            const uint64_t up_to = feeds ^ (feeds - 1);
            delimiters += __builtin_popcountll(ahead & up_to);
            if (expected < 0) expected = delimiters;
            if (delimiters != expected) {
                found[0] = start;
                found[1] = delimiters;
                return 1;
            }
            ahead &= ~up_to;
            start = (int64_t)at + (int64_t)__builtin_ctzll(feeds) + 1;
            delimiters = 0;
        }
        delimiters += __builtin_popcountll(ahead);
    }
    return 0;
}
