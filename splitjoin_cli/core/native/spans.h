/* Eight words of a block at once, for AVX2: what scan.h does with a word, less what only a span with something to point at
   needs (a stray quote, a lone CR, the first record end). Such a span is walked again, word by word. */

enum { SPAN = 512 };

/* Whether a span holds a CR that may end a line. */
TARGET static inline int has_return_avx2(const uint8_t *span, const struct needles_avx2 *needles) {
    __m256i found = _mm256_setzero_si256();
    for (size_t at = 0; at < SPAN; at += 32)
        found = _mm256_or_si256(found, _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(span + at)), needles->ret));
    return needles->has_return && !_mm256_testz_si256(found, found);
}

/* Take a span into ``tally``, all but where its last record end is; 1: one ends here. -1: nothing was taken, since there is
   something to point at. ``returns``: whether to look for CRs. */
ALWAYS TARGET static inline int take_span_avx2(struct tally_avx2 *tally, const uint8_t *span,
                                               const struct needles_avx2 *needles, int returns) {
    struct carry carry = tally->carry;
    uint64_t wrong = 0, ended = 0;
    int64_t records = 0, delimiters = 0, crlf = 0;
    for (size_t at = 0; at < SPAN; at += 64) {
        const uint64_t quotes = equal_bits_avx2(span + at, needles->quote) & needles->has_quote;
        const uint64_t feeds = equal_bits_avx2(span + at, needles->feed);
        const uint64_t marks = equal_bits_avx2(span + at, needles->delimiter);
        const uint64_t all_returns = returns ? equal_bits_avx2(span + at, needles->ret) : 0;
        const uint64_t inside = CLMUL_PREFIX_XOR(quotes) ^ carry.inside;
        const uint64_t ends = feeds & ~inside, fields = marks & ~inside, returned = all_returns & ~inside;
        const uint64_t data = ~(inside | feeds | marks | quotes | all_returns);
        wrong |= ((quotes << 1 | carry.quote) & data) | (quotes & (data << 1 | carry.data));
        if (returns) {
            const uint64_t behind = returned << 1 | carry.ret;
            wrong |= behind & ~feeds;
            crlf += __builtin_popcountll(behind & feeds);
            carry.ret = returned >> 63;
        }
        ended |= ends;
        records += __builtin_popcountll(ends);
        delimiters += __builtin_popcountll(fields);
        carry.inside = (uint64_t)((int64_t)inside >> 63);
        carry.quote = quotes >> 63;
        carry.data = data >> 63;
    }
    if (__builtin_expect(wrong != 0 || (ended && tally->first_end == NO_OFFSET), 0)) return -1;
    tally->carry = carry;
    tally->records += records;
    tally->delimiters += delimiters;
    tally->crlf += crlf;
    return ended != 0;
}

TARGET static void step_span_avx2(struct tally_avx2 *tally, const uint8_t *block, size_t at,
                                  const struct needles_avx2 *needles) {
    for (size_t word = at; word < at + SPAN; word += 64)
        step_avx2(tally, read_word_avx2(block + word, needles, 0), word, 0, ~UINT64_C(0));
}

TARGET static size_t batches_avx2(struct tally_avx2 *tally, const uint8_t *block, size_t size,
                                  const struct needles_avx2 *needles) {
    struct tally_avx2 last = *tally; /* as it was before the last span with a record end */
    size_t last_at = 0, at = 0;
    int has_last = 0;
    for (const size_t whole = (size - 1) / SPAN * SPAN; at < whole; at += SPAN) {
        const struct carry before = tally->carry;
        const int64_t records = tally->records, delimiters = tally->delimiters;
        const int returns = before.ret || has_return_avx2(block + at, needles);
        const int taken =
            returns ? take_span_avx2(tally, block + at, needles, 1) : take_span_avx2(tally, block + at, needles, 0);
        if (__builtin_expect(taken < 0, 0)) {
            step_span_avx2(tally, block, at, needles);
            if (is_defect_avx2(tally)) return at;
            if (tally->records != records) has_last = 0; /* where it is has been found */
        } else if (taken) {
            has_last = 1;
            last_at = at;
            last.carry = before;
            last.delimiters = delimiters;
        }
    }
    if (has_last) { /* walked again for where in it the last record end is; of what it finds only that counts */
        last.first_end = tally->first_end;
        step_span_avx2(&last, block, last_at, needles);
        tally->last_word = last.last_word;
        tally->last_inside = last.last_inside;
        tally->last_delimiters = last.last_delimiters;
    }
    return at;
}
