/* What a block holds that its reader should know of: bytes that are no UTF-8, byte order marks, lines equal to the header.

   Whether some bytes are UTF-8 is told by three lookups for each 32 bytes: Keiser & Lemire, "Validating UTF-8 In Less Than
   One Instruction Per Byte" (Software: Practice and Experience 51, 2021). Where they are not, and on other machines, a
   reader of one byte after the other says which. */

#define SURVEY_BYTES 4096
#define GROUP_BYTES 256

/* What some bytes are that begin and end with whole characters, if they are UTF-8; ``SHORT``: of at most two bytes each. */
enum { ASCII, SHORT, UTF8, INVALID };

/* Counts, and the offset of the first of each (NO_OFFSET). ``lead`` and ``tail``: bytes at the block's ends that may be of
   a character which lies in two blocks: they are not judged. */
struct survey {
    int64_t invalid, first_invalid, marks, first_mark, lines, first_line, lead, tail;
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

static int is_line(const uint8_t *block, size_t size, size_t feed, const uint8_t *line, size_t line_size) {
    const size_t end = feed + 1 + line_size;
    return end < size && (block[end] == '\n' || block[end] == '\r') && !memcmp(block + feed + 1, line, line_size);
}

static void count_line(size_t feed, struct survey *out) {
    if (!out->lines++) out->first_line = (int64_t)feed + 1;
}

/* Those that a LF from ``from`` up to ``to`` comes before. */
static void lines_portable(const uint8_t *block, size_t size, size_t from, size_t to, const uint8_t *line, size_t line_size,
                           struct survey *out) {
    const uint8_t *at = block + from, *stop = block + to;
    while (at < stop && (at = memchr(at, '\n', (size_t)(stop - at)))) {
        if (is_line(block, size, (size_t)(at - block), line, line_size)) count_line((size_t)(at - block), out);
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

/* As judge. */
SURVEY_TARGET static int judge_avx2(const uint8_t *bytes, size_t size) {
    __m256i any = _mm256_setzero_si256();
    size_t at = 0;
    for (; at + 32 <= size; at += 32) any = _mm256_or_si256(any, _mm256_loadu_si256((const __m256i *)(bytes + at)));
    uint8_t rest[32] = {0};
    memcpy(rest, bytes + at, size - at);
    any = _mm256_or_si256(any, _mm256_loadu_si256((const __m256i *)rest));
    if (!_mm256_movemask_epi8(any)) return ASCII;
    __m256i previous = _mm256_setzero_si256(), errors = previous;
    for (at = 0; at + 32 <= size; at += 32) {
        const __m256i input = _mm256_loadu_si256((const __m256i *)(bytes + at));
        errors = _mm256_or_si256(errors, errors_of(input, previous));
        previous = input;
    }
    errors = _mm256_or_si256(errors, errors_of(_mm256_loadu_si256((const __m256i *)rest), previous));
    return _mm256_testz_si256(errors, errors) ? UTF8 : INVALID;
}

/* Which of 64 bytes are ``byte``, one bit each. */
SURVEY_TARGET static inline uint64_t bits_avx2(const uint8_t *bytes, __m256i byte) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)bytes);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(bytes + 32));
    const uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, byte));
    const uint32_t second = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, byte));
    return (uint64_t)second << 32 | first;
}

/* A line is looked at where its first byte follows a LF. */
SURVEY_TARGET static void lines_avx2(const uint8_t *block, size_t size, size_t from, size_t to, const uint8_t *line,
                                     size_t line_size, struct survey *out) {
    const __m256i feed = _mm256_set1_epi8('\n'), first = _mm256_set1_epi8((char)line[0]);
    size_t at = from;
    for (; at + 64 <= to && at + 64 < size; at += 64) {
        const uint64_t follows = bits_avx2(block + at, first) >> 1 | (uint64_t)(block[at + 64] == line[0]) << 63;
        uint64_t bits = bits_avx2(block + at, feed) & follows;
        for (; bits; bits &= bits - 1) {
            const size_t place = at + (size_t)__builtin_ctzll(bits);
            if (is_line(block, size, place, line, line_size)) count_line(place, out);
        }
    }
    for (; at < to; at++)
        if (block[at] == '\n' && is_line(block, size, at, line, line_size)) count_line(at, out);
}

#define WIDE_TARGET __attribute__((target("avx512f,avx512bw,bmi")))

WIDE_TARGET static void lines_avx512(const uint8_t *block, size_t size, size_t from, size_t to,
                                                                         const uint8_t *line, size_t line_size,
                                                                         struct survey *out) {
    const __m512i feed = _mm512_set1_epi8('\n'), first = _mm512_set1_epi8((char)line[0]);
    size_t at = from;
    for (; at + 64 <= to && at + 64 < size; at += 64) {
        const __m512i bytes = _mm512_loadu_si512(block + at);
        const uint64_t feeds = _mm512_cmpeq_epi8_mask(bytes, feed), firsts = _mm512_cmpeq_epi8_mask(bytes, first);
        uint64_t bits = feeds & (firsts >> 1 | (uint64_t)(block[at + 64] == line[0]) << 63);
        for (; bits; bits &= bits - 1) {
            const size_t place = at + (size_t)__builtin_ctzll(bits);
            if (is_line(block, size, place, line, line_size)) count_line(place, out);
        }
    }
    for (; at < to; at++)
        if (block[at] == '\n' && is_line(block, size, at, line, line_size)) count_line(at, out);
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
            if (high ^ follow ^ first) return judge_avx2(bytes, size);
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

static void survey_lines(int32_t level, const uint8_t *block, size_t size, size_t from, size_t to, const uint8_t *line,
                         size_t line_size, struct survey *out) {
    if (!line_size) return;
#ifdef X86
    if (level > 0) {
        (level > 1 ? lines_avx512 : lines_avx2)(block, size, from, to, line, line_size, out);
        return;
    }
#endif
    lines_portable(block, size, from, to, line, line_size, out);
}

/* Piece by piece, so that the lines are looked for while it is in the fastest cache. No LF is in ``lead`` or ``tail``. */
static void survey_text(int32_t level, const uint8_t *block, size_t size, const uint8_t *line, size_t line_size,
                        struct survey *out) {
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
        survey_lines(level, block, size, start, stop, line, line_size, out);
        start = stop;
    }
}

/* A block of ``size`` >= 1 bytes; ``line``: what a line is to be compared with, less its end (``line_size`` 0: none);
   ``text``: whether the block is to be UTF-8. */
EXPORT void sj_survey(int32_t level, const uint8_t *block, size_t size, const uint8_t *line, size_t line_size, int32_t text,
                      struct survey *out) {
    *out = (struct survey){0, NO_OFFSET, 0, NO_OFFSET, 0, NO_OFFSET, 0, 0};
    if (text)
        survey_text(level, block, size, line, line_size, out);
    else
        survey_lines(level, block, size, 0, size, line, line_size, out);
}
