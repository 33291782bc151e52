/* The walk over a block by a table of steps, for dialects that masks alone cannot read (splitjoin_cli/splitting/records/table.py
   makes the table, and says what the states are). Included once for each kind of machine, after scan.h.

   Where no byte of a word but belongs where it is, masks read the word as scan.h does: all these dialects agree there. In
   another word masks find the bytes that mean something by themselves; what lies between two of them is one step, since a state that
   plain data leads to stays as it is while more of it comes. Only inside a delimiter of several bytes, and behind an
   escape character, the next byte is looked at whatever it is. */

/* 64 bytes that masks can read after all: no byte but belongs where it is. */
struct NAMED(regular) {
    uint64_t feeds, delimiters, opens, crlf, ends; /* ``delimiters``: the last byte of each; ``ends``: behind them a field begins */
    uint32_t state, over; /* after them; how many bytes the last delimiter reaches over their end, where it does */
};

/* Whether they are such, from a state without anything begun. The first ``skip`` bytes were read already, with the word
   before: they are the end of a delimiter, or of a record, and mean nothing any more. */
ALWAYS TARGET static inline int NAMED(read_regular)(const uint8_t *bytes, const struct NAMED(needles) *needles,
                                                    const VECTOR *others, uint32_t delimiter_size, uint32_t state,
                                                    uint32_t skip, struct NAMED(regular) *out) {
    struct word word = NAMED(read_word)(bytes, needles, 1);
    uint64_t starts = word.delimiters;
    for (uint32_t i = 1; i < delimiter_size; i++) starts &= EQUAL_BITS(bytes + i, others[i]);
    const uint64_t skipped = (UINT64_C(1) << skip) - 1;
    starts &= ~skipped;
    word.quotes &= ~skipped;
    word.feeds &= ~skipped;
    word.returns &= ~skipped;
    word.escapes &= ~skipped;
    uint64_t all = starts | skipped, twice = 0;
    for (uint32_t i = 1; i < delimiter_size; i++) {
        all |= starts << i;
        twice |= starts & starts << i;
    }
    if (twice | (word.escapes & needles->has_escape) | word.returns >> 63) return 0;
    word.delimiters = all;
    struct carry carry = NAMED(enter)((int32_t)state);
    const struct seen seen = NAMED(see)(word, &carry, 0, ~UINT64_C(0));
    if (seen.strays | seen.closers | seen.lone_after) return 0;
    const uint64_t inside = ~seen.outside;
    out->feeds = seen.feeds;
    out->delimiters = starts << (delimiter_size - 1) & seen.outside;
    out->crlf = seen.crlf;
    out->opens = word.quotes & inside & ~((word.quotes & seen.outside) << 1 | (state == CLOSED));
    const uint64_t last = starts & seen.outside;
    const uint32_t reach = last ? 64 - (uint32_t)__builtin_clzll(last) - 1 + delimiter_size : 0;
    out->over = reach > 64 ? reach - 64 : 0;
    out->ends = seen.feeds | (all & seen.outside);
    out->state = inside >> 63 ? QUOTED : word.quotes >> 63 ? CLOSED : out->ends >> 63 ? FIELD : DATA;
    return 1;
}

ALWAYS TARGET static inline int64_t NAMED(by_table)(const uint8_t *block, size_t size, const struct table *table,
                                                    uint32_t state, enum errand errand, struct errands *asked) {
    const struct NAMED(needles) needles = NAMED(needles_of)(&table->dialect);
    int64_t records = 0, delimiters = errand == RAGGED ? asked->before : 0, crlf = 0, count = 0;
    int64_t first_end = NO_OFFSET, last_end = NO_OFFSET, last_delimiters = 0;
    size_t next = 0; /* the byte to be read next */
    uint32_t step = table->close[state] ? CLOSE : 0;
    const uint8_t first = (uint8_t)table->dialect.delimiter;

/* What ends with the byte at ``place``. */
#define END_FIELD(place)                                                                                    \
    do {                                                                                                    \
        if (errand == BEFORE)                                                                               \
            for (; count < asked->room && asked->places[count] <= (int64_t)(place); count++)                \
                asked->found[count] = delimiters;                                                           \
        delimiters++;                                                                                       \
    } while (0)

#define END_RECORD(place)                                                                                   \
    do {                                                                                                    \
        if (errand == ENDS) {                                                                               \
            if (count < asked->room) asked->found[count] = asked->base + (int64_t)(place) + 1;              \
            count++;                                                                                        \
        }                                                                                                   \
        if (errand == RAGGED) {                                                                             \
            if (asked->expected < 0) asked->expected = delimiters;                                          \
            if (delimiters != asked->expected) {                                                            \
                asked->found[0] = last_end;                                                                 \
                asked->found[1] = delimiters;                                                               \
                return 1;                                                                                   \
            }                                                                                               \
            delimiters = 0;                                                                                 \
            last_end = (int64_t)(place) + 1;                                                                \
        }                                                                                                   \
        if (errand == WALK) {                                                                               \
            last_end = (int64_t)(place) + 1;                                                                \
            first_end = records ? first_end : last_end;                                                     \
            last_delimiters = delimiters;                                                                   \
            records++;                                                                                      \
        }                                                                                                   \
    } while (0)

/* One step at ``place``, where the byte of ``class`` is. */
#define STEP(class, place)                                                                                  \
    do {                                                                                                    \
        step = table->steps[(state << CLASS_BITS) + (class)];                                               \
        state = step & 0xff;                                                                                \
        if (step & MEANT) {                                                                                 \
            if (step & DEFECT) {                                                                            \
                if (errand == WALK) {                                                                       \
                    asked->defect = (int64_t)(place) - (int64_t)(step >> BACK_BIT & 0xff);                  \
                    asked->kind = step >> KIND_BIT & 3;                                                     \
                }                                                                                           \
                goto done;                                                                                  \
            }                                                                                               \
            if (step & DELIMITER) END_FIELD(place);                                                         \
            if (step & RECORD) END_RECORD(place);                                                           \
            if (errand == WALK) crlf += step >> CRLF_BIT & 1;                                               \
            if (errand == OPENING && step & OPENS) last_end = (int64_t)(place);                             \
        }                                                                                                   \
    } while (0)

/* The plain bytes from ``next`` up to ``place``. */
#define PLAIN(place)                                                                                        \
    do {                                                                                                    \
        if (table->spaces && state == FIELD)                                                                \
            while (next < (place) && block[next] == ' ') next++;                                            \
        if (next < (place)) STEP(0, next);                                                                  \
    } while (0)

    const uint32_t delimiter_size = (uint32_t)table->delimiter_size;
    VECTOR others[8];
    for (uint32_t i = 0; i < 8; i++) others[i] = SPREAD((char)((const uint8_t *)&table->delimiter)[i]);
    for (size_t at = 0; at < size; at += 64) {
        if (next < at) {
            PLAIN(at);
            next = at;
        }
        struct NAMED(regular) regular;
        if (!(step & CLOSE) && (state <= CLOSED || state == QUOTED) && (next == at || (state == FIELD && next - at < 8)) &&
            size - at >= 64 + 8 &&
            !(table->spaces && block[at + 63] == ' ') && /* a field may begin behind it, in the next word */
            NAMED(read_regular)(block + at, &needles, others, delimiter_size, state, (uint32_t)(next - at), &regular)) {
            if (errand == OPENING && regular.opens)
                last_end = (int64_t)at + 63 - (int64_t)__builtin_clzll(regular.opens);
            if (errand == BEFORE)
                for (; count < asked->room && asked->places[count] < (int64_t)at + 64; count++) {
                    const int64_t bits = asked->places[count] - (int64_t)at;
                    const uint64_t below = bits > 0 ? (UINT64_C(1) << bits) - 1 : 0;
                    asked->found[count] = delimiters + __builtin_popcountll(regular.delimiters & below);
                }
            if (errand == WALK) {
                if (regular.feeds) {
                    const int last = 63 - __builtin_clzll(regular.feeds);
                    if (!records) first_end = (int64_t)at + (int64_t)__builtin_ctzll(regular.feeds) + 1;
                    last_end = (int64_t)at + last + 1;
                    last_delimiters = delimiters + __builtin_popcountll(regular.delimiters & ~(~UINT64_C(0) << last));
                    records += __builtin_popcountll(regular.feeds);
                    crlf += __builtin_popcountll(regular.crlf);
                }
            }
            if (errand == ENDS || errand == RAGGED)
                for (uint64_t feeds = regular.feeds; feeds; feeds &= feeds - 1) {
                    const uint64_t up_to = feeds ^ (feeds - 1);
                    delimiters += __builtin_popcountll(regular.delimiters & up_to);
                    regular.delimiters &= ~up_to;
                    END_RECORD(at + (size_t)__builtin_ctzll(feeds));
                }
            delimiters += __builtin_popcountll(regular.delimiters);
            if (table->spaces && regular.state == DATA && block[at + 63] == ' ') { /* a field may begin with them */
                int last = 63;
                while (last >= 0 && block[at + (size_t)last] == ' ' && !(regular.ends >> last & 1)) last--;
                if (last < 0 ? state == FIELD : (int)(regular.ends >> last & 1)) regular.state = FIELD;
            }
            state = regular.state;
            next = at + 64 + regular.over;
            if (regular.over) END_FIELD(next - 1);
            step = 0;
            continue;
        }
        struct word word = size - at >= 64 ? NAMED(read_word)(block + at, &needles, 1)
                                           : NAMED(read_last)(block + at, size - at, &needles, 1);
        word.escapes &= needles.has_escape;
        uint64_t bits = word.quotes | word.feeds | word.delimiters | word.returns | word.escapes;
        for (;;) {
            for (; step & CLOSE && next < size; next++) STEP(table->classes[block[next]], next);
            if (next > at) bits &= next - at > 63 ? 0 : ~UINT64_C(0) << (next - at);
            if (!bits) break;
            const size_t from = next;
            const size_t place = at + (size_t)__builtin_ctzll(bits);
            const uint8_t byte = block[place];
            next = place + 1;
            bits &= bits - 1;
            /* What nearly all of these bytes are, without a look at the table. */
            if (state == QUOTED && byte != table->dialect.quote && byte != table->dialect.escape) continue;
            if (state <= DATA && byte == '\n') {
                state = FIELD;
                END_RECORD(place);
                continue;
            }
            if (state <= DATA && byte == first && size - place >= 8) {
                uint64_t ahead;
                memcpy(&ahead, block + place, 8);
                if (((ahead ^ table->delimiter) & table->delimiter_bits) == 0) {
                    next = place + (size_t)table->delimiter_size;
                    state = FIELD;
                    END_FIELD(next - 1);
                    continue;
                }
            }
            next = from;
            PLAIN(place);
            STEP(table->classes[byte], place);
            next = place + 1;
        }
    }
    PLAIN(size);
done:
#undef END_FIELD
#undef END_RECORD
#undef STEP
#undef PLAIN
    switch (errand) {
    case BEFORE:
        for (; count < asked->room; count++) asked->found[count] = delimiters;
        return 0;
    case ENDS:
        return count;
    case OPENING:
        return last_end;
    case RAGGED:
        return 0;
    default:
        asked->out->end = state;
        asked->out->records = records;
        asked->out->first_end = first_end;
        asked->out->last_end = last_end;
        asked->out->crlf = crlf;
        asked->out->delimiters = delimiters;
        asked->out->tail = delimiters - last_delimiters;
        return 0;
    }
}

TARGET static int64_t NAMED(table)(const uint8_t *block, size_t size, const struct table *table, int32_t state,
                                   int32_t errand, struct errands *asked) {
    switch (errand) {
    case WALK: return NAMED(by_table)(block, size, table, (uint32_t)state, WALK, asked);
    case ENDS: return NAMED(by_table)(block, size, table, (uint32_t)state, ENDS, asked);
    case BEFORE: return NAMED(by_table)(block, size, table, (uint32_t)state, BEFORE, asked);
    case RAGGED: return NAMED(by_table)(block, size, table, (uint32_t)state, RAGGED, asked);
    default: return NAMED(by_table)(block, size, table, (uint32_t)state, OPENING, asked);
    }
}
