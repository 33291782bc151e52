/* What a block holds that its reader should know of: bytes that are no UTF-8, byte order marks, lines equal to the header,
   and whether there may be blank lines.

   Whether some bytes are UTF-8 is told by three lookups for each 32 bytes: Keiser & Lemire, "Validating UTF-8 In Less Than
   One Instruction Per Byte" (Software: Practice and Experience 51, 2021). Where they are not, and on other machines, a
   reader of one byte after the other says which. */

#define SURVEY_BYTES 4096
#define GROUP_BYTES 256

/* What some bytes are that begin and end with whole characters, if they are UTF-8; ``SHORT``: of at most two bytes each. */
enum { ASCII, SHORT, UTF8, INVALID };

/* Counts, and the offset of the first of each (NO_OFFSET). ``lead`` and ``tail``: bytes at the block's ends that may be of
   a character which lies in two blocks: they are not judged. ``blanks``: whether a blank line follows a LF with an even
   number of quotes before it in the block (EVEN), or an odd one (ODD); ``counted``: how far quotes were counted, ``odd``:
   whether their number is. */
enum { EVEN = 1, ODD = 2 };
struct survey {
    int64_t invalid, first_invalid, marks, first_mark, lines, first_line, lead, tail, blanks, counted, odd;
};

/* ``line``: what a line is to be compared with, less its end; ``size`` 0: there is none. ``quote``: -1 where a number of
   quotes says nothing. */
struct wanted {
    const uint8_t *line;
    size_t size;
    int32_t quote, level;
};

/* The bytes of the character at ``bytes``, by RFC 3629; 0: it is none. */
static int utf8_length(const uint8_t *bytes, size_t size) {
    const uint8_t first = bytes[0];
    if (first < 0x80) return 1;
    int length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (!length || size < (size_t)length) return 0;
    const uint8_t second = bytes[1];
    if ((second & 0xc0) != 0x80) return 0;
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
    for (int i = 2; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    return length;
}

static void count_invalid(const uint8_t *block, size_t start, size_t end, struct survey *out) {
    for (size_t at = start; at < end;) {
        const int length = utf8_length(block + at, end - at);
        if (!length) {
            if (!out->invalid++) out->first_invalid = (int64_t)at;
            at++;
        } else
            at += (size_t)length;
    }
}

static void count_marks(const uint8_t *block, size_t start, size_t end, struct survey *out) {
    const uint8_t *at = block + start, *stop = block + end;
    while (stop - at >= 3 && (at = memchr(at, 0xef, (size_t)(stop - at - 2)))) {
        if (at[1] == 0xbb && at[2] == 0xbf && !out->marks++) out->first_mark = at - block;
        at++;
    }
}

/* As judge; INVALID for all that is not ASCII. */
static int judge_portable(const uint8_t *bytes, size_t size) {
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        if (word & UINT64_C(0x8080808080808080)) return INVALID;
    }
    for (; at < size; at++)
        if (bytes[at] & 0x80) return INVALID;
    return ASCII;
}

/* Whether the number of quotes from ``from`` up to ``to`` is odd. */
#define IS_ODD(QUOTES)                                                                                         \
    uint64_t odd = 0;                                                                                          \
    for (; from < to && from + 64 <= size; from += 64)                                                         \
        odd ^= to - from < 64 ? (QUOTES) & ((UINT64_C(1) << (to - from)) - 1) : (QUOTES);                      \
    for (; from < to; from++) odd ^= block[from] == quote;                                                     \
    return __builtin_parityll(odd);

static int odd_portable(const uint8_t *block, size_t size, size_t from, size_t to, int32_t quote) {
    IS_ODD(equal_bits(block + from, UINT64_C(0x0101010101010101) * (uint8_t)quote))
}

#ifdef X86
__attribute__((target("avx2"))) static int odd_avx2(const uint8_t *block, size_t size, size_t from, size_t to,
                                                    int32_t quote) {
    const __m256i quotes = _mm256_set1_epi8((char)quote);
    IS_ODD(equal_bits_avx2(block + from, quotes))
}
#endif

/* A blank line follows the LF at ``feed``: spaces and tabs up to its end. Quotes are counted from one such place to the next. */
static void note_blank(const uint8_t *block, size_t size, size_t feed, const struct wanted *wanted, struct survey *out) {
    size_t end = feed + 1;
    while (end < size && (block[end] == ' ' || block[end] == '\t')) end++;
    if (end < size && block[end] == '\r') end++;
    if (end >= size || block[end] != '\n') return;
    if (wanted->quote < 0) {
        out->blanks = EVEN | ODD;
        return;
    }
#ifdef X86
    out->odd ^= wanted->level > 0 ? odd_avx2(block, size, (size_t)out->counted, feed, wanted->quote)
                                  : odd_portable(block, size, (size_t)out->counted, feed, wanted->quote);
#else
    out->odd ^= odd_portable(block, size, (size_t)out->counted, feed, wanted->quote);
#endif
    out->counted = (int64_t)feed;
    out->blanks |= out->odd ? ODD : EVEN;
}

/* Look at the line that follows the LF at ``feed``. */
static void see_line(const uint8_t *block, size_t size, size_t feed, const struct wanted *wanted, struct survey *out) {
    const size_t end = feed + 1 + wanted->size;
    if (wanted->size && end < size && (block[end] == '\n' || block[end] == '\r') &&
        !memcmp(block + feed + 1, wanted->line, wanted->size) && !out->lines++)
        out->first_line = (int64_t)feed + 1;
    if (feed + 1 < size && block[feed + 1] <= ' ' && out->blanks != (EVEN | ODD))
        note_blank(block, size, feed, wanted, out);
}

/* Those that a LF from ``from`` up to ``to`` comes before. */
static void lines_portable(const uint8_t *block, size_t size, size_t from, size_t to, const struct wanted *wanted,
                           struct survey *out) {
    const uint8_t *at = block + from, *stop = block + to;
    while (at < stop && (at = memchr(at, '\n', (size_t)(stop - at)))) {
        see_line(block, size, (size_t)(at - block), wanted, out);
        at++;
    }
}

#ifdef X86
#define SURVEY_TARGET __attribute__((target("avx2,bmi,lzcnt")))
enum {
    TOO_SHORT = 1, TOO_LONG = 2, OVERLONG_3 = 4, TOO_LARGE = 8, SURROGATE = 16, OVERLONG_2 = 32, TOO_LARGE_1000 = 64,
    OVERLONG_4 = 64, TWO_CONTS = 128, CARRY = 1 | 2 | 128
};

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* The bytes one, two or three places before each. */
#define BEFORE(input, moved, n) _mm256_alignr_epi8(input, moved, 16 - (n))

SURVEY_TARGET static inline __m256i errors_of(__m256i input, __m256i previous) {
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    const __m256i moved = _mm256_permute2x128_si256(previous, input, 0x21);
    const __m256i one = BEFORE(input, moved, 1), two = BEFORE(input, moved, 2), three = BEFORE(input, moved, 3);
    const __m256i first_high = TWICE(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
        (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS, TOO_SHORT | OVERLONG_2, TOO_SHORT,
        TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
    const __m256i first_low = TWICE((char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2),
        (char)CARRY, (char)CARRY, (char)(CARRY | TOO_LARGE), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE),
        (char)(CARRY | TOO_LARGE | TOO_LARGE_1000), (char)(CARRY | TOO_LARGE | TOO_LARGE_1000));
    const __m256i second_high = TWICE(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
    const __m256i special = _mm256_and_si256(
        _mm256_and_si256(_mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(one, 4), nibble)),
                         _mm256_shuffle_epi8(first_low, _mm256_and_si256(one, nibble))),
        _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(input, 4), nibble)));
    const __m256i third = _mm256_subs_epu8(two, _mm256_set1_epi8((char)(0xe0 - 0x80)));
    const __m256i fourth = _mm256_subs_epu8(three, _mm256_set1_epi8((char)(0xf0 - 0x80)));
    const __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, special);
}

/* As judge, for any bytes. */
SURVEY_TARGET static int judge_by_lookups(const uint8_t *bytes, size_t size) {
    __m256i previous = _mm256_setzero_si256(), errors = previous;
    size_t at = 0;
    for (; at + 32 <= size; at += 32) {
        const __m256i input = _mm256_loadu_si256((const __m256i *)(bytes + at));
        errors = _mm256_or_si256(errors, errors_of(input, previous));
        previous = input;
    }
    uint8_t rest[32] = {0};
    memcpy(rest, bytes + at, size - at);
    errors = _mm256_or_si256(errors, errors_of(_mm256_loadu_si256((const __m256i *)rest), previous));
    return _mm256_testz_si256(errors, errors) ? UTF8 : INVALID;
}

SURVEY_TARGET static inline uint64_t bits_of(__m256i low, __m256i high) {
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 | (uint32_t)_mm256_movemask_epi8(low);
}

/* As judge, in the way of judge_avx512, see there. */
SURVEY_TARGET static int judge_avx2(const uint8_t *bytes, size_t size) {
    const __m256i beyond = _mm256_set1_epi8((char)0xc0); /* with their sign, less than that are 0x80 to 0xbf */
    const __m256i least = _mm256_set1_epi8((char)0xc2), most = _mm256_set1_epi8(0xdf - 0xc2);
    uint64_t before = 0, errors = 0, any = 0;
    uint8_t rest[GROUP_BYTES];
    for (size_t at = 0; at < size; at += GROUP_BYTES) {
        const uint8_t *group = bytes + at;
        if (size - at < GROUP_BYTES) {
            memset(rest, 0, sizeof rest);
            memcpy(rest, group, size - at);
            group = rest;
        }
        __m256i words[GROUP_BYTES / 32], all = _mm256_setzero_si256();
        for (size_t word = 0; word < GROUP_BYTES / 32; word++) {
            words[word] = _mm256_loadu_si256((const __m256i *)(group + 32 * word));
            all = _mm256_or_si256(all, words[word]);
        }
        if (!(_mm256_movemask_epi8(all) | before >> 63)) {
            before = 0;
            continue;
        }
        for (size_t word = 0; word < GROUP_BYTES / 32; word += 2) {
            const __m256i low = words[word], high = words[word + 1];
            const __m256i low_past = _mm256_sub_epi8(low, least), high_past = _mm256_sub_epi8(high, least);
            const uint64_t not_ascii = bits_of(low, high);
            const uint64_t follow = bits_of(_mm256_cmpgt_epi8(beyond, low), _mm256_cmpgt_epi8(beyond, high));
            const uint64_t first = bits_of(_mm256_cmpeq_epi8(_mm256_min_epu8(low_past, most), low_past),
                                           _mm256_cmpeq_epi8(_mm256_min_epu8(high_past, most), high_past));
            if (not_ascii ^ follow ^ first) return judge_by_lookups(bytes, size);
            errors |= (first << 1 | before >> 63) ^ follow;
            any |= first;
            before = first;
        }
    }
    return errors | before >> 63 ? INVALID : any ? SHORT : ASCII;
}

/* Which of 32 bytes are a LF that a byte follows which the line begins with, or a blank one may. */
SURVEY_TARGET static inline __m256i begins_avx2(const uint8_t *bytes, __m256i first) {
    const __m256i these = _mm256_loadu_si256((const __m256i *)bytes);
    const __m256i next = _mm256_loadu_si256((const __m256i *)(bytes + 1));
    const __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(next, _mm256_set1_epi8(' ')), next);
    const __m256i feeds = _mm256_cmpeq_epi8(these, _mm256_set1_epi8('\n'));
    return _mm256_and_si256(feeds, _mm256_or_si256(_mm256_cmpeq_epi8(next, first), low));
}

/* A line is looked at where such a byte follows a LF. */
SURVEY_TARGET static void lines_avx2(const uint8_t *block, size_t size, size_t from, size_t to, const struct wanted *wanted,
                                     struct survey *out) {
    const __m256i first = _mm256_set1_epi8(wanted->size ? (char)wanted->line[0] : ' ');
    size_t at = from;
    for (; at + 64 <= to && at + 64 < size; at += 64) {
        const __m256i low = begins_avx2(block + at, first), high = begins_avx2(block + at + 32, first);
        const __m256i both = _mm256_or_si256(low, high);
        if (_mm256_testz_si256(both, both)) continue;
        uint64_t bits = (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 | (uint32_t)_mm256_movemask_epi8(low);
        for (; bits; bits &= bits - 1) see_line(block, size, at + (size_t)__builtin_ctzll(bits), wanted, out);
    }
    for (; at < to; at++)
        if (block[at] == '\n') see_line(block, size, at, wanted, out);
}

#define WIDE_TARGET __attribute__((target("avx512f,avx512bw,bmi")))

WIDE_TARGET static void lines_avx512(const uint8_t *block, size_t size, size_t from, size_t to, const struct wanted *wanted,
                                     struct survey *out) {
    const __m512i feed = _mm512_set1_epi8('\n'), space = _mm512_set1_epi8(' ');
    const __m512i first = _mm512_set1_epi8(wanted->size ? (char)wanted->line[0] : ' ');
    size_t at = from;
    for (; at + 64 <= to && at + 64 < size; at += 64) {
        const __m512i next = _mm512_loadu_si512(block + at + 1);
        const uint64_t begins = _mm512_cmpeq_epi8_mask(next, first) | _mm512_cmple_epu8_mask(next, space);
        uint64_t bits = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(block + at), feed) & begins;
        for (; bits; bits &= bits - 1) see_line(block, size, at + (size_t)__builtin_ctzll(bits), wanted, out);
    }
    for (; at < to; at++)
        if (block[at] == '\n') see_line(block, size, at, wanted, out);
}

/* As judge. Characters of two bytes are told by a bit for each byte: where one begins, the next byte goes on. No branch
   hangs on where they are: some are in a quarter of the words of many a text, and a wrong guess costs more than all of
   this. Where there are longer ones, or none that may be, the other way is as fast. */
WIDE_TARGET static int judge_avx512(const uint8_t *bytes, size_t size) {
    const __m512i beyond = _mm512_set1_epi8((char)0xc0); /* with their sign, less than that are 0x80 to 0xbf */
    const __m512i least = _mm512_set1_epi8((char)0xc2), range = _mm512_set1_epi8(0xe0 - 0xc2);
    uint64_t before = 0, errors = 0, any = 0;
    for (size_t at = 0; at < size;) {
        const size_t count = size - at < GROUP_BYTES ? size - at : GROUP_BYTES;
        __m512i words[GROUP_BYTES / 64], all = _mm512_setzero_si512();
        for (size_t word = 0; word < GROUP_BYTES / 64; word++) {
            const size_t from = 64 * word, left = count > from ? count - from : 0;
            const uint64_t there = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
            words[word] = _mm512_maskz_loadu_epi8(there, bytes + at + from);
            all = _mm512_or_si512(all, words[word]);
        }
        at += count;
        if (!(_mm512_movepi8_mask(all) | before >> 63)) {
            before = 0;
            continue;
        }
        for (size_t word = 0; word < GROUP_BYTES / 64; word++) {
            const uint64_t high = _mm512_movepi8_mask(words[word]);
            const uint64_t follow = _mm512_cmplt_epi8_mask(words[word], beyond);
            const uint64_t first = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(words[word], least), range);
            if (high ^ follow ^ first) return judge_by_lookups(bytes, size);
            errors |= (first << 1 | before >> 63) ^ follow;
            any |= first;
            before = first;
        }
    }
    return errors | before >> 63 ? INVALID : any ? SHORT : ASCII;
}
#endif

static int judge(int32_t level, const uint8_t *bytes, size_t size) {
#ifdef X86
    if (level > 1) return judge_avx512(bytes, size);
    if (level > 0) return judge_avx2(bytes, size);
#endif
    return judge_portable(bytes, size);
}

static void survey_lines(int32_t level, const uint8_t *block, size_t size, size_t from, size_t to,
                         const struct wanted *wanted, struct survey *out) {
#ifdef X86
    if (level > 0) {
        (level > 1 ? lines_avx512 : lines_avx2)(block, size, from, to, wanted, out);
        return;
    }
#endif
    lines_portable(block, size, from, to, wanted, out);
}

/* Piece by piece, so that the lines are looked for while it is in the fastest cache. No LF is in ``lead`` or ``tail``. */
static void survey_text(int32_t level, const uint8_t *block, size_t size, const struct wanted *wanted, struct survey *out) {
    size_t start = 0, end = size;
    while (start < size && start < 3 && (block[start] & 0xc0) == 0x80) start++;
    for (size_t back = 1; back <= 3 && back <= size - start; back++) {
        const uint8_t byte = block[size - back];
        if ((byte & 0xc0) == 0x80) continue;
        if (byte >= 0xc0 && back < (byte >= 0xf0 ? 4u : byte >= 0xe0 ? 3u : 2u)) end = size - back;
        break;
    }
    out->lead = (int64_t)start;
    out->tail = (int64_t)(size - end);
    while (start < end) {
        size_t stop = end - start > SURVEY_BYTES ? start + SURVEY_BYTES : end;
        for (int i = 0; stop < end && i < 64 && (block[stop] & 0xc0) == 0x80; i++) stop--;
        const int found = judge(level, block + start, stop - start);
        if (found == INVALID) count_invalid(block, start, stop, out);
        if (found >= UTF8) count_marks(block, start, stop, out);
        survey_lines(level, block, size, start, stop, wanted, out);
        start = stop;
    }
}

/* A block of ``size`` >= 1 bytes; ``line``, ``line_size``, ``quote``: see struct wanted; ``text``: whether the block is to be
   UTF-8. */
EXPORT void sj_survey(int32_t level, const uint8_t *block, size_t size, const uint8_t *line, size_t line_size, int32_t quote,
                      int32_t text, struct survey *out) {
    const struct wanted wanted = {line, line_size, quote, level};
    *out = (struct survey){.first_invalid = NO_OFFSET, .first_mark = NO_OFFSET, .first_line = NO_OFFSET};
    if (text)
        survey_text(level, block, size, &wanted, out);
    else
        survey_lines(level, block, size, 0, size, &wanted, out);
}
