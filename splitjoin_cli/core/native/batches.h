/* Eight words of a block at once, for AVX-512: the masks of 512 bytes lie in one vector for each kind of byte, a word a
   lane, and what scan.h does with a word is done with all eight. Only counters come out; a batch with something to point
   at (a stray quote, a lone CR) is walked again, word by word. */

enum { BATCH = 512, GROUP = 8 };

/* The masks of GROUP batches, a word each. They are made for all of them before any is used: a vector cannot be read
   back from eight words that have just been stored without waiting for each of them to leave the store buffer. */
struct masks {
    _Alignas(64) uint64_t quotes[8 * GROUP], feeds[8 * GROUP], delimiters[8 * GROUP], returns[8 * GROUP];
};

TARGET static inline void read_batches_avx512(struct masks *masks, const uint8_t *block, size_t batches,
                                              const struct needles_avx512 *needles) {
    for (size_t i = 0; i < 8 * batches; i++) {
        const __m512i bytes = _mm512_loadu_si512(block + 64 * i);
        masks->quotes[i] = _mm512_cmpeq_epi8_mask(bytes, needles->quote);
        masks->feeds[i] = _mm512_cmpeq_epi8_mask(bytes, needles->feed);
        masks->delimiters[i] = _mm512_cmpeq_epi8_mask(bytes, needles->delimiter);
        masks->returns[i] = _mm512_cmpeq_epi8_mask(bytes, needles->ret);
    }
}

/* Each lane shifted left by one bit, into which comes the top bit of the lane before it. */
TARGET static inline __m512i follow_avx512(__m512i words, __m512i before) {
    const __m512i previous = _mm512_alignr_epi64(words, before, 7);
    return _mm512_or_si512(_mm512_slli_epi64(words, 1), _mm512_srli_epi64(previous, 63));
}

TARGET static inline uint64_t top_bit_avx512(__m512i words) { return _mm512_movepi64_mask(words) >> 7; }

/* A vector whose top bit is ``bit``. */
TARGET static inline __m512i with_top_bit_avx512(uint64_t bit) {
    return _mm512_maskz_set1_epi64(0x80, (long long)(bit << 63));
}

/* Inside quotes or not, by byte: the prefix-xor of each lane, turned over where the quotes before the lane are odd. */
TARGET static inline __m512i inside_avx512(__m512i quotes, uint64_t *carried) {
    const __m512i ones = _mm512_set1_epi64(-1);
    const __m512i even = _mm512_clmulepi64_epi128(quotes, ones, 0x00);
    const __m512i odd = _mm512_clmulepi64_epi128(quotes, ones, 0x01);
    const __m512i within = _mm512_unpacklo_epi64(even, odd);
    uint32_t parity = _mm512_movepi64_mask(within);
    parity ^= parity << 1;
    parity ^= parity << 2;
    parity ^= parity << 4;
    const uint32_t entered = (parity << 1) ^ (uint32_t)*carried; /* carried: 0 or all ones */
    *carried = *carried ^ (uint64_t)-(int64_t)(parity >> 7 & 1);
    return _mm512_mask_xor_epi64(within, (__mmask8)entered, within, ones);
}

/* Walk a batch word by word. */
TARGET static void step_batch_avx512(struct tally_avx512 *tally, const uint8_t *block, size_t at,
                                     const struct needles_avx512 *needles) {
    for (size_t word = at; word < at + BATCH; word += 64)
        step_avx512(tally, read_word_avx512(block + word, needles, 0), word, 0, ~UINT64_C(0));
}

TARGET static size_t batches_avx512(struct tally_avx512 *tally, const uint8_t *block, size_t size,
                                    const struct needles_avx512 *needles) {
    const __m512i zero = _mm512_setzero_si512();
    __m512i records = zero, delimiters = zero, crlf = zero;
    struct tally_avx512 last = *tally; /* as it was before the last batch with a record end */
    __m512i last_delimiters = zero;
    size_t last_at = 0, at = 0;
    int has_last = 0;
    uint64_t inside_carry = tally->carry.inside;
    __m512i quotes_before = with_top_bit_avx512(tally->carry.quote);
    __m512i data_before = with_top_bit_avx512(tally->carry.data);
    __m512i returns_before = with_top_bit_avx512(tally->carry.ret);
    struct masks masks;
    const __m512i has_quote = _mm512_set1_epi64((long long)needles->has_quote);
    const __m512i has_return = _mm512_set1_epi64((long long)needles->has_return);
    const size_t batches = (size - 1) / BATCH;
    for (size_t batch = 0; batch < batches; batch++, at += BATCH) {
        const size_t turn = batch % GROUP;
        if (!turn) read_batches_avx512(&masks, block + at, batches - batch < GROUP ? batches - batch : GROUP, needles);
        const __m512i quotes = _mm512_and_si512(_mm512_load_si512(masks.quotes + 8 * turn), has_quote);
        const __m512i feeds = _mm512_load_si512(masks.feeds + 8 * turn);
        const __m512i marks = _mm512_load_si512(masks.delimiters + 8 * turn);
        const __m512i returns = _mm512_and_si512(_mm512_load_si512(masks.returns + 8 * turn), has_return);
        const uint64_t inside_before = inside_carry;
        const __m512i inside = inside_avx512(quotes, &inside_carry);
        const __m512i ends = _mm512_andnot_si512(inside, feeds);
        const __m512i fields = _mm512_andnot_si512(inside, marks);
        const __m512i returned = _mm512_andnot_si512(inside, returns);
        const __m512i plain = _mm512_or_si512(_mm512_or_si512(quotes, feeds), _mm512_or_si512(marks, returns));
        const __m512i data = _mm512_andnot_si512(_mm512_or_si512(inside, plain), _mm512_set1_epi64(-1));
        const __m512i closers = _mm512_and_si512(follow_avx512(quotes, quotes_before), data);
        const __m512i strays = _mm512_and_si512(quotes, follow_avx512(data, data_before));
        const __m512i behind = follow_avx512(returned, returns_before);
        const __m512i lone = _mm512_andnot_si512(feeds, behind);
        const __m512i wrong = _mm512_or_si512(_mm512_or_si512(closers, strays), lone);
        const int has_end = _mm512_test_epi64_mask(ends, ends) != 0;
        if (__builtin_expect(_mm512_test_epi64_mask(wrong, wrong) != 0 || (has_end && tally->first_end == NO_OFFSET), 0)) {
            struct tally_avx512 found = *tally; /* counters of this batch are counted below */
            found.carry.inside = inside_before;
            found.carry.quote = top_bit_avx512(quotes_before);
            found.carry.data = top_bit_avx512(data_before);
            found.carry.ret = top_bit_avx512(returns_before);
            step_batch_avx512(&found, block, at, needles);
            if (is_defect_avx512(&found)) {
                *tally = found;
                return at;
            }
            tally->first_end = found.first_end;
        }
        if (has_end) {
            has_last = 1;
            last_at = at;
            last_delimiters = delimiters;
            last.carry.inside = inside_before;
        }
        records = _mm512_add_epi64(records, _mm512_popcnt_epi64(ends));
        delimiters = _mm512_add_epi64(delimiters, _mm512_popcnt_epi64(fields));
        crlf = _mm512_add_epi64(crlf, _mm512_popcnt_epi64(_mm512_and_si512(behind, feeds)));
        quotes_before = quotes;
        data_before = data;
        returns_before = returned;
    }
    if (!at) return 0;
    tally->carry.inside = inside_carry;
    tally->carry.quote = top_bit_avx512(quotes_before);
    tally->carry.data = top_bit_avx512(data_before);
    tally->carry.ret = top_bit_avx512(returns_before);
    tally->records += _mm512_reduce_add_epi64(records);
    if (has_last) { /* walked again for where in it the last record end is; of what it finds only that counts */
        last.delimiters = tally->delimiters + _mm512_reduce_add_epi64(last_delimiters);
        step_batch_avx512(&last, block, last_at, needles);
        tally->last_word = last.last_word;
        tally->last_inside = last.last_inside;
        tally->last_delimiters = last.last_delimiters;
    }
    tally->delimiters += _mm512_reduce_add_epi64(delimiters);
    tally->crlf += _mm512_reduce_add_epi64(crlf);
    return at;
}
