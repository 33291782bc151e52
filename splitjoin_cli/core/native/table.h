/* The walk over a block by a table of steps, for dialects that masks alone cannot read (splitjoin_cli/splitting/records/table.py
   makes the table, and says what the states are). Included once for each kind of machine, after scan.h.

   Masks find the bytes that mean something by themselves; what lies between two of them is one step, since a state that
   plain data leads to stays as it is while more of it comes. Only inside a delimiter of several bytes, and behind an
   escape character, the next byte is looked at whatever it is. */

ALWAYS TARGET static inline int64_t NAMED(by_table)(const uint8_t *block, size_t size, const struct table *table,
                                                    uint32_t state, enum errand errand, struct errands *asked) {
    const struct NAMED(needles) needles = NAMED(needles_of)(&table->dialect);
    int64_t records = 0, delimiters = errand == RAGGED ? asked->before : 0, crlf = 0, count = 0;
    int64_t first_end = NO_OFFSET, last_end = NO_OFFSET, last_delimiters = 0;
    size_t next = 0; /* the byte to be read next */
    uint32_t step = table->close[state] ? CLOSE : 0;

/* One step at ``place``, where the byte of ``class`` is. */
#define STEP(class, place)                                                                                  \
    do {                                                                                                    \
        step = table->steps[(state << CLASS_BITS) + (class)];                                               \
        state = step & 0xff;                                                                                \
        if (errand == BEFORE && step & DELIMITER)                                                           \
            for (; count < asked->room && asked->places[count] <= (int64_t)(place); count++)                \
                asked->found[count] = delimiters;                                                           \
        if (errand == OPENING && step & OPENS) last_end = (int64_t)(place);                                 \
        delimiters += step >> DELIMITER_BIT & 1;                                                            \
        if (__builtin_expect(step & (RECORD | DEFECT), 0)) {                                                \
            if (step & DEFECT) {                                                                            \
                if (errand == WALK) {                                                                       \
                    asked->defect = (int64_t)(place) - (int64_t)(step >> BACK_BIT & 0xff);                  \
                    asked->kind = step >> KIND_BIT & 3;                                                     \
                }                                                                                           \
                goto done;                                                                                  \
            }                                                                                               \
            if (errand == ENDS) {                                                                           \
                if (count < asked->room) asked->found[count] = asked->base + (int64_t)(place) + 1;          \
                count++;                                                                                    \
            }                                                                                               \
            if (errand == RAGGED) {                                                                         \
                if (asked->expected < 0) asked->expected = delimiters;                                      \
                if (delimiters != asked->expected) {                                                        \
                    asked->found[0] = last_end;                                                             \
                    asked->found[1] = delimiters;                                                           \
                    return 1;                                                                               \
                }                                                                                           \
                delimiters = 0;                                                                             \
                last_end = (int64_t)(place) + 1;                                                            \
            }                                                                                               \
            if (errand == WALK) {                                                                           \
                last_end = (int64_t)(place) + 1;                                                            \
                first_end = records ? first_end : last_end;                                                 \
                last_delimiters = delimiters;                                                               \
                crlf += step >> CRLF_BIT & 1;                                                               \
                records++;                                                                                  \
            }                                                                                               \
        }                                                                                                   \
    } while (0)

/* The plain bytes from ``next`` up to ``place``. */
#define PLAIN(place)                                                                                        \
    do {                                                                                                    \
        if (table->spaces && state == FIELD)                                                                \
            while (next < (place) && block[next] == ' ') next++;                                            \
        if (next < (place)) STEP(0, next);                                                                  \
    } while (0)

    for (size_t at = 0; at < size; at += 64) {
        struct word word = size - at >= 64 ? NAMED(read_word)(block + at, &needles, 1)
                                           : NAMED(read_last)(block + at, size - at, &needles, 1);
        if (table->dialect.escape < 0) word.escapes = 0;
        uint64_t bits = word.quotes | word.feeds | word.delimiters | word.returns | word.escapes;
        for (;;) {
            for (; step & CLOSE && next < size; next++) STEP(table->classes[block[next]], next);
            if (next > at) bits &= next - at > 63 ? 0 : ~UINT64_C(0) << (next - at);
            if (!bits) break;
            const size_t place = at + (size_t)__builtin_ctzll(bits);
            PLAIN(place);
            STEP(table->classes[block[place]], place);
            next = place + 1;
            bits &= bits - 1;
        }
    }
    PLAIN(size);
done:
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
