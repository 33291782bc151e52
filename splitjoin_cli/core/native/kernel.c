/* The inner loops of the scan and of CRC-64/NVME, compiled; splitjoin_cli/core/native/__init__.py loads them.

   A block is read 64 bytes at a time as bit masks, after Langdale & Lemire, "Parsing Gigabytes of JSON per Second" (VLDB
   Journal 2019): compare to masks, the quoted bytes by a prefix-xor (one carry-less multiplication), bits counted by
   popcount. What a mask says of a byte's neighbour is carried from word to word, so that a block is walked once.

   Nothing here allocates, keeps state or reads past the buffers it is given: the same call gives the same answer on any
   thread (names.h, files.h and staged.h also list, read and write files). The numpy form in splitjoin_cli/splitting/records/numpy_scanner.py means the same; the tests hold one against the other. */

#define _GNU_SOURCE /* openat and its kin, beside the C standard's own */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#define X86 1
#endif

#define EXPORT __attribute__((visibility("default")))
#define ALWAYS __attribute__((always_inline))
#define NO_OFFSET (-1)
#define NOT_FOUND INT64_MIN /* -1 is a place: the byte before the block */

/* The numbers of splitjoin_cli.splitting.records.outcome.State. */
enum { FIELD, DATA, CLOSED, RETURNED, QUOTED, ESCAPED, ESCAPED_QUOTED };

/* What bytes mean; -1: there is no such byte. ``ret``: the CR that stands before an LF; -1 where a CR is data. */
struct dialect {
    int32_t delimiter, quote, escape, ret;
};

/* Outcome of splitjoin_cli.splitting.records.outcome, and where the first quote in an illegal place and the first lone CR are. With
   one of these only they are set. */
struct outcome {
    int64_t end, records, first_end, last_end, crlf, delimiters, tail, stray, stray_closes, lone;
};

/* The masks of 64 bytes, bit i for byte i. */
struct word {
    uint64_t quotes, feeds, delimiters, returns, escapes;
};

/* What one word hands to the next, each in bit 0 (``inside``: in all bits). */
struct carry {
    uint64_t inside, quote, data, ret, escaped;
};

/* A word seen from where it stands: outside quotes, escaped bytes taken out. */
struct seen {
    uint64_t feeds, delimiters, strays, closers, crlf, lone_after;
    uint64_t outside, escaped;
};

/* A table of steps, as splitjoin_cli/splitting/records/table.py makes it. ``steps[16 * state + class]``: the state after a byte of that
   class (bits 0 to 7) and what it means (the bits below); class 0 is plain data. ``close[state]``: the next byte must be
   looked at, whatever it is. ``dialect``: the bytes that masks look for, the delimiter by its first byte. ``spaces``: a
   space at a field's start changes nothing. */
enum { MAX_STATES = 64, CLASS_BITS = 4 };
enum { RECORD = 1 << 8, CRLF_BIT = 9, DELIMITER_BIT = 10, DELIMITER = 1 << 10, DEFECT = 1 << 11, OPENS = 1 << 12 };
enum { MEANT = RECORD | DELIMITER | DEFECT | OPENS };
enum { CLOSE = 1 << 13, BACK_BIT = 16, KIND_BIT = 24 };
struct table {
    uint32_t steps[MAX_STATES << CLASS_BITS];
    uint8_t classes[256];
    uint8_t close[MAX_STATES];
    struct dialect dialect;
    int32_t spaces, delimiter_size;
    uint64_t delimiter, delimiter_bits; /* eight bytes as they lie in memory, and which of their bits are of the delimiter */
};

/* What a walk is for; see sj_table. */
enum errand { WALK, ENDS, BEFORE, RAGGED, OPENING };

/* What goes with an errand, and what comes of it. ``defect``: its place, NOT_FOUND where there is none. */
struct errands {
    struct outcome *out;
    int64_t *found;
    const int64_t *places;
    int64_t room, base, before, expected, defect, kind;
};

static uint64_t prefix_xor_shifts(uint64_t bits) {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}

/* The bytes of an 8-byte word that equal a byte, one bit each: exact, and without instructions of one machine. */
static uint64_t equal_bits8(const uint8_t *bytes, uint64_t pattern) {
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t word;
    memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    word ^= pattern;
    const uint64_t zero = ~(((word & low) + low) | word | low); /* the top bit of each byte that is zero */
    return ((zero >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

static uint64_t equal_bits(const uint8_t *bytes, uint64_t pattern) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= equal_bits8(bytes + 8 * i, pattern) << (8 * i);
    return bits;
}

#define NAMED(name) name##_portable
#define TARGET
#define VECTOR uint64_t
#define SPREAD(byte) (UINT64_C(0x0101010101010101) * (uint8_t)(byte))
#define EQUAL_BITS(bytes, needle) equal_bits(bytes, needle)
#define PREFIX_XOR(bits) prefix_xor_shifts(bits)
#include "scan.h"
#include "table.h"
#undef NAMED
#undef TARGET
#undef VECTOR
#undef SPREAD
#undef EQUAL_BITS
#undef PREFIX_XOR

#ifdef X86
#define BASE_FEATURES "bmi,bmi2,lzcnt,popcnt,pclmul"
#define CLMUL_PREFIX_XOR(bits) \
    (uint64_t) _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)(bits)), _mm_set1_epi8((char)0xff), 0))

__attribute__((target("avx2"))) ALWAYS static inline uint64_t equal_bits_avx2(const uint8_t *bytes, __m256i needle) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)bytes);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(bytes + 32));
    const uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, needle));
    const uint32_t second = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, needle));
    return (uint64_t)second << 32 | first;
}

#define NAMED(name) name##_avx2
#define TARGET __attribute__((target("avx2," BASE_FEATURES)))
#define VECTOR __m256i
#define SPREAD(byte) _mm256_set1_epi8(byte)
#define EQUAL_BITS(bytes, needle) equal_bits_avx2(bytes, needle)
#define PREFIX_XOR(bits) CLMUL_PREFIX_XOR(bits)
#define BATCHES 1
#include "scan.h"
#include "table.h"
#include "spans.h"
#undef NAMED
#undef TARGET
#undef VECTOR
#undef SPREAD
#undef EQUAL_BITS
#undef PREFIX_XOR
#undef BATCHES

#define NAMED(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vpopcntdq,vpclmulqdq," BASE_FEATURES)))
#define VECTOR __m512i
#define SPREAD(byte) _mm512_set1_epi8(byte)
#define EQUAL_BITS(bytes, needle) _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes), needle)
#define PREFIX_XOR(bits) CLMUL_PREFIX_XOR(bits)
#define BATCHES 1
#include "scan.h"
#include "table.h"
#include "batches.h"
#undef NAMED
#undef TARGET
#undef VECTOR
#undef SPREAD
#undef EQUAL_BITS
#undef PREFIX_XOR
#undef BATCHES
#endif

/* CRC-64/NVME: reflected, polynomial 0xAD93D23594C93659 (reflected below), init and xorout all ones. */
#define POLYNOMIAL UINT64_C(0x9a6c9329ac4bc9b5)

static uint64_t crc_table[8][256];
static uint64_t powers[64]; /* x^(8 * 2^i) modulo the polynomial: what 2^i bytes of zero do to a CRC */

/* x times v, reflected: bit 63 is x^0. */
static uint64_t times_x(uint64_t v) { return (v >> 1) ^ (v & 1 ? POLYNOMIAL : 0); }

/* The product of two polynomials modulo the polynomial, all reflected. */
static uint64_t times(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (int i = 63; i >= 0; i--) {
        if (a >> i & 1) product ^= b;
        b = times_x(b);
    }
    return product;
}

/* The CRC register after some bytes, table by table, eight bytes at a time (slicing-by-8, Kounavis & Berry 2005). */
static uint64_t crc_tables(uint64_t crc, const uint8_t *bytes, size_t size) {
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        crc ^= word;
        uint64_t next = 0;
        for (int i = 0; i < 8; i++) next ^= crc_table[7 - i][crc >> (8 * i) & 0xff];
        crc = next;
        bytes += 8;
        size -= 8;
    }
    while (size--) crc = crc >> 8 ^ crc_table[0][(crc ^ *bytes++) & 0xff];
    return crc;
}

#ifdef X86
/* Folding by carry-less multiplication (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
   Instruction", 2009). fold_by[i]: what moves 16 bytes on by 16 * 2^i; its low half is for the earlier 8 bytes. */
static uint64_t fold_by[5][2];

#define CLMUL_TARGET __attribute__((target("sse4.1,pclmul")))
#define VCLMUL_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vpclmulqdq,pclmul,sse4.1")))

CLMUL_TARGET static inline __m128i fold_128(__m128i state, __m128i by, __m128i next) {
    const __m128i low = _mm_clmulepi64_si128(state, by, 0x00);
    const __m128i high = _mm_clmulepi64_si128(state, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

CLMUL_TARGET static uint64_t crc_clmul(uint64_t crc, const uint8_t *bytes, size_t size) {
    if (size < 128) return crc_tables(crc, bytes, size);
    const __m128i *in = (const __m128i *)bytes;
    __m128i state[4];
    for (int i = 0; i < 4; i++) state[i] = _mm_loadu_si128(in + i);
    state[0] = _mm_xor_si128(state[0], _mm_cvtsi64_si128((long long)crc));
    in += 4;
    size -= 64;
    const __m128i far = _mm_loadu_si128((const __m128i *)fold_by[2]);
    const __m128i near = _mm_loadu_si128((const __m128i *)fold_by[0]);
    while (size >= 64) {
        for (int i = 0; i < 4; i++) state[i] = fold_128(state[i], far, _mm_loadu_si128(in + i));
        in += 4;
        size -= 64;
    }
    __m128i all = state[0];
    for (int i = 1; i < 4; i++) all = fold_128(all, near, state[i]);
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)rest, all);
    return crc_tables(crc_tables(0, rest, 16), (const uint8_t *)in, size);
}

/* The same in registers of 32 bytes, for machines that have the multiplication in them and no AVX-512. */
#define CLMUL_256_TARGET __attribute__((target("avx2,vpclmulqdq,pclmul,sse4.1")))

CLMUL_256_TARGET static inline __m256i fold_256(__m256i state, __m256i by, __m256i next) {
    const __m256i low = _mm256_clmulepi64_epi128(state, by, 0x00);
    const __m256i high = _mm256_clmulepi64_epi128(state, by, 0x11);
    return _mm256_xor_si256(_mm256_xor_si256(low, high), next);
}

CLMUL_256_TARGET static uint64_t crc_clmul_256(uint64_t crc, const uint8_t *bytes, size_t size) {
    if (size < 256) return crc_clmul(crc, bytes, size);
    __m256i state[4];
    for (int i = 0; i < 4; i++) state[i] = _mm256_loadu_si256((const __m256i *)(bytes + 32 * i));
    state[0] = _mm256_xor_si256(state[0], _mm256_zextsi128_si256(_mm_cvtsi64_si128((long long)crc)));
    bytes += 128;
    size -= 128;
    const __m256i far = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)fold_by[3]));
    const __m256i near = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)fold_by[1]));
    while (size >= 128) {
        for (int i = 0; i < 4; i++) state[i] = fold_256(state[i], far, _mm256_loadu_si256((const __m256i *)(bytes + 32 * i)));
        bytes += 128;
        size -= 128;
    }
    __m256i all = state[0];
    for (int i = 1; i < 4; i++) all = fold_256(all, near, state[i]);
    uint8_t rest[32];
    _mm256_storeu_si256((__m256i *)rest, all);
    return crc_tables(crc_tables(0, rest, 32), bytes, size);
}

VCLMUL_TARGET static inline __m512i fold_512(__m512i state, __m512i by, __m512i next) {
    const __m512i low = _mm512_clmulepi64_epi128(state, by, 0x00);
    const __m512i high = _mm512_clmulepi64_epi128(state, by, 0x11);
    return _mm512_ternarylogic_epi64(low, high, next, 0x96);
}

VCLMUL_TARGET static uint64_t crc_vclmul(uint64_t crc, const uint8_t *bytes, size_t size) {
    if (size < 512) return crc_clmul(crc, bytes, size);
    __m512i state[4];
    for (int i = 0; i < 4; i++) state[i] = _mm512_loadu_si512(bytes + 64 * i);
    state[0] = _mm512_xor_si512(state[0], _mm512_zextsi128_si512(_mm_cvtsi64_si128((long long)crc)));
    bytes += 256;
    size -= 256;
    const __m512i far = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)fold_by[4]));
    const __m512i near = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)fold_by[2]));
    while (size >= 256) {
        for (int i = 0; i < 4; i++) state[i] = fold_512(state[i], far, _mm512_loadu_si512(bytes + 64 * i));
        bytes += 256;
        size -= 256;
    }
    __m512i all = state[0];
    for (int i = 1; i < 4; i++) all = fold_512(all, near, state[i]);
    uint8_t rest[64];
    _mm512_storeu_si512(rest, all);
    return crc_tables(crc_tables(0, rest, 64), bytes, size);
}
#endif

#include "survey.h"

typedef void scan_function(const uint8_t *, size_t, const struct dialect *, int32_t, struct outcome *);
typedef int64_t ends_function(const uint8_t *, size_t, const struct dialect *, int32_t, int64_t, int64_t *, int64_t);
typedef void before_function(const uint8_t *, size_t, const struct dialect *, int32_t, const int64_t *, size_t, int64_t *);
typedef int ragged_function(const uint8_t *, size_t, const struct dialect *, int32_t, int64_t, int64_t, int64_t *);
typedef int64_t table_function(const uint8_t *, size_t, const struct table *, int32_t, int32_t, struct errands *);
typedef uint64_t crc_function(uint64_t, const uint8_t *, size_t);

struct level {
    const char *name;
    scan_function *scan;
    ends_function *ends;
    before_function *before;
    ragged_function *ragged;
    table_function *table;
    crc_function *crc;
};

#define LEVEL(name, crc) {#name, scan_##name, ends_##name, before_##name, ragged_##name, table_##name, crc}

/* What this machine can run, the slowest first. */
static struct level levels[3] = {LEVEL(portable, crc_tables)};
static int known_levels = 1;

#ifdef X86
/* 2: what the avx512 level needs; 1: what avx2 needs; 0: neither. ``has_vpclmul``: carry-less multiplication in wide registers. By CPUID (Intel SDM, volume 2), and by XGETBV: the
   system must keep the wide registers too. Not by __builtin_cpu_supports, which finds nothing under Zig's compiler. */
static int machine_features(int *has_vpclmul) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    const unsigned clmul_sse41_popcnt_osxsave = 1u << 1 | 1u << 19 | 1u << 23 | 1u << 27;
    if ((c & clmul_sse41_popcnt_osxsave) != clmul_sse41_popcnt_osxsave) return 0;
    unsigned kept, high;
    __asm__("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
    if ((kept & 0x6) != 0x6) return 0; /* XMM, YMM */
    unsigned extended_a, extended_b, extended_c, extended_d;
    if (!__get_cpuid(0x80000001, &extended_a, &extended_b, &extended_c, &extended_d)) return 0;
    if (!(extended_c >> 5 & 1)) return 0; /* LZCNT */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    const unsigned bmi1_avx2_bmi2 = 1u << 3 | 1u << 5 | 1u << 8;
    if ((b & bmi1_avx2_bmi2) != bmi1_avx2_bmi2) return 0;
    const unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    const unsigned vpclmul_vpopcnt = 1u << 10 | 1u << 14;
    *has_vpclmul = (int)(c >> 10 & 1);
    const int wide = (b & f_dq_bw_vl) == f_dq_bw_vl && (c & vpclmul_vpopcnt) == vpclmul_vpopcnt;
    return wide && (kept & 0xe0) == 0xe0 ? 2 : 1;
}
#endif

__attribute__((constructor)) static void prepare(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint64_t v = (uint64_t)byte;
        for (int i = 0; i < 8; i++) v = times_x(v);
        crc_table[0][byte] = v;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++) {
            const uint64_t v = crc_table[k - 1][byte];
            crc_table[k][byte] = v >> 8 ^ crc_table[0][v & 0xff];
        }
    powers[0] = UINT64_C(1) << 55; /* x^8 */
    for (int i = 1; i < 64; i++) powers[i] = times(powers[i - 1], powers[i - 1]);
#ifdef X86
    for (int i = 0; i < 5; i++) {
        uint64_t v = UINT64_C(1) << 63;
        const int bits = 128 << i;
        for (int n = 0; n < bits - 1; n++) v = times_x(v);
        fold_by[i][1] = v; /* one less: the product of two reflected numbers stands one bit too low */
        for (int n = 0; n < 64; n++) v = times_x(v);
        fold_by[i][0] = v;
    }
    int has_vpclmul = 0;
    const int features = machine_features(&has_vpclmul);
    if (features >= 1) levels[known_levels++] = (struct level)LEVEL(avx2, has_vpclmul ? crc_clmul_256 : crc_clmul);
    if (features >= 2) levels[known_levels++] = (struct level)LEVEL(avx512, crc_vclmul);
#endif
}

/* How many ways of doing it this machine has; a level is a number below that, the highest being the fastest. */
EXPORT int32_t sj_levels(void) { return known_levels; }

/* The sizes of what Python hands over, each in 16 bits: one that was compiled from another source is not to be called. */
EXPORT int64_t sj_layout(void) {
    return (int64_t)((uint64_t)sizeof(struct table) | (uint64_t)sizeof(struct errands) << 16 |
                     (uint64_t)sizeof(struct outcome) << 32 | (uint64_t)sizeof(struct survey) << 48);
}

EXPORT const char *sj_level_name(int32_t level) { return levels[level].name; }

/* The outcome of a block of ``size`` >= 1 bytes that starts in ``state``. */
EXPORT void sj_scan(int32_t level, const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                    struct outcome *out) {
    levels[level].scan(block, size, dialect, state, out);
}

/* ``base`` + the offset just after each record end, the first ``room`` of them; how many there are. */
EXPORT int64_t sj_ends(int32_t level, const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                       int64_t base, int64_t *ends, int64_t room) {
    return levels[level].ends(block, size, dialect, state, base, ends, room);
}

/* For each of ``count`` ascending offsets, 0 to ``size``: the delimiters outside quotes before it. */
EXPORT void sj_before(int32_t level, const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                      const int64_t *places, size_t count, int64_t *before) {
    levels[level].before(block, size, dialect, state, places, count, before);
}

/* The first record with other than ``expected`` delimiters, see scan.h; 0: there is none. */
EXPORT int32_t sj_ragged(int32_t level, const uint8_t *block, size_t size, const struct dialect *dialect, int32_t state,
                         int64_t before, int64_t expected, int64_t *found) {
    return levels[level].ragged(block, size, dialect, state, before, expected, found);
}

/* A walk by a table. WALK: ``out`` (its stray and lone: see ``defect`` and ``kind``, which is Kind of outcome.py). ENDS: as
   sj_ends, into ``found``. BEFORE: as sj_before, of ``room`` ``places``. RAGGED: as sj_ragged. OPENING: the place of the
   last quote that opens a field, NO_OFFSET where there is none. */
EXPORT int64_t sj_table(int32_t level, const uint8_t *block, size_t size, const struct table *table, int32_t state,
                        int32_t errand, struct errands *asked) {
    return levels[level].table(block, size, table, state, errand, asked);
}

/* What the lines that end at ``ends``, ascending offsets from ``base`` on, where ``block`` begins, are: 0 a record; BLANK: nothing but the bytes in ``white`` (the
   bits of 1 spaces, 2 tabs) before its line end; REPEATED: the bytes of ``header`` before its line end, where ``header_size`` is not -1. The first line
   begins at ``start``. ``blanks``: whether to look for blank ones; ``returns``: whether a CR before the LF is part of the
   line end. The number of those that are no records; only where there are any, ``kinds`` is written. */
enum { WHITE_SPACE = 1, WHITE_TAB = 2, BLANK = 1, REPEATED = 2 };
EXPORT int64_t sj_lines(const uint8_t *block, int64_t base, int64_t start, const int64_t *ends, int64_t count, int32_t blanks,
                        int32_t white, int32_t returns, const uint8_t *header, int64_t header_size, uint8_t *kinds) {
    int64_t others = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t end = ends[i], size = end - start;
        const uint8_t *line = block + (start - base);
        int kind = 0;
        if (blanks && line[0] <= ' ') {
            const int64_t text = size - 1 - (returns && size > 1 && line[size - 2] == '\r');
            int64_t j = 0;
            while (j < text && ((line[j] == ' ' && white & WHITE_SPACE) || (line[j] == '\t' && white & WHITE_TAB))) j++;
            if (j == text) kind = BLANK;
        }
        if (header_size >= 0 &&
            (size == header_size + 1 || (returns && size == header_size + 2 && line[header_size] == '\r')) &&
            !memcmp(line, header, (size_t)header_size))
            kind = REPEATED;
        if (__builtin_expect(kind != 0, 0)) {
            if (!others) memset(kinds, 0, (size_t)count);
            kinds[i] = (uint8_t)kind;
            others++;
        }
        start = end;
    }
    return others;
}

/* The place of the first ``escape`` from ``at`` on that one of ``letters`` follows, NO_OFFSET: there is none. What an escape
   character escapes is passed over. */
EXPORT int64_t sj_escaped(const uint8_t *block, int64_t size, int64_t at, int32_t escape, const uint8_t *letters,
                          int64_t count) {
    while (at < size) {
        const uint8_t *found = memchr(block + at, escape, (size_t)(size - at));
        if (!found || found + 1 == block + size) return NO_OFFSET;
        if (memchr(letters, found[1], (size_t)count)) return found - block;
        at = found - block + 2;
    }
    return NO_OFFSET;
}

/* The CRC of what ``previous`` was computed over, followed by ``size`` bytes. */
EXPORT uint64_t sj_crc(int32_t level, const uint8_t *bytes, size_t size, uint64_t previous) {
    return ~levels[level].crc(~previous, bytes, size);
}

/* The CRC of two runs of bytes put together, from the CRC of each and the size of the second. */
EXPORT uint64_t sj_combine(uint64_t left, uint64_t right, uint64_t right_size) {
    for (int i = 0; right_size; i++, right_size >>= 1)
        if (right_size & 1) left = times(powers[i], left);
    return left ^ right;
}

#include "names.h"
#include "files.h"
#include "rows.h"
#include "staged.h"
#include "lines.h"

/* As sj_layout, of what is handed over of files. */
EXPORT int64_t sj_files_layout(void) {
    return (int64_t)((uint64_t)sizeof(struct numbered) | (uint64_t)sizeof(struct expected) << 16 |
                     (uint64_t)sizeof(struct listing) << 32 | (uint64_t)sizeof(struct lines) << 48);
}
