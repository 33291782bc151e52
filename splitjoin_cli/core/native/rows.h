/* Rows of a table or a file as hashes, so that two multisets of them can be compared: splitjoin_cli/core/native/rows.py
   says what goes in and out.

   A value is brought to the one form that all its spellings have (the forms of stores/loaders/exact/canonical.py; what
   is written otherwise than usual makes its row an odd one, which is left to Python). A row's forms, each behind its
   size, are hashed by SipHash-1-3 with 128 bits (Aumasson & Bernstein, "SipHash: a fast short-input PRF", 2012; with
   these rounds it is the hash of Python's and Rust's tables) and a key that nobody knows. Rows are summed by bucket modulo 2^128: a sum tells multisets apart. */

enum { AS_TEXT, AS_PADDED, AS_NUMBER, AS_SINGLE, AS_DOUBLE, AS_DATE, AS_DATETIME, AS_TIME, AS_BOOLEAN, AS_HEX, AS_MEMBER,
       AS_LOCAL_SAID, AS_LOCAL_KEPT, AS_INSTANT, AS_ODD, AS_NOTHING };
enum { KIND_BITS = 0x1F, IS_BY = 0x20, EMPTY_IS_NULL = 0x40 };
enum { MOST_FORM = 96, LONGEST_PLAIN = 31, FOUND_WIDTH = 5, ODD_WIDTH = 2 };
enum { ROWS_DONE, ROWS_FULL, ROWS_STOPPED, ROWS_STRANGE };

struct rows {
    uint64_t key[2];
    const uint8_t *kinds;   /* of each column: a kind, IS_BY, EMPTY_IS_NULL */
    uint8_t *scratch;       /* as large as the data */
    uint8_t *forms;         /* of the row: as large as the data, and a MOST_FORM and 16 for each column */
    uint64_t *sums;         /* by bucket three: two halves of the sum, and how many rows; with ``wanted`` nothing is summed */
    const uint8_t *wanted;  /* by bucket: whether its rows are looked for */
    int64_t *found;         /* of each: where it begins and ends (its number, twice), its bucket's hash, its own two halves */
    int64_t *odd;           /* of each odd row: where it begins and ends (its number, twice) */
    const uint8_t *nulls;   /* what means NULL where it is not in quotes: a byte that says how long it is before each */
    int64_t columns, buckets, found_room, found_count, odd_room, odd_count;
    int64_t nulls_size, most_bytes;
    int64_t at, number, taken; /* in the data; the row's number in it; the bytes of the row's forms so far */
    uint64_t by;               /* of the row so far */
    int32_t delimiter, quote, is_last, bytes_are_odd;
};

static inline uint64_t turned(uint64_t word, int bits) { return word << bits | word >> (64 - bits); }

static inline uint64_t eight(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

#define SIP_ROUND                                                                                                       \
    do {                                                                                                                \
        v0 += v1, v1 = turned(v1, 13) ^ v0, v0 = turned(v0, 32);                                                        \
        v2 += v3, v3 = turned(v3, 16) ^ v2;                                                                             \
        v0 += v3, v3 = turned(v3, 21) ^ v0;                                                                             \
        v2 += v1, v1 = turned(v1, 17) ^ v2, v2 = turned(v2, 32);                                                        \
    } while (0)

static void sip_hash(const uint64_t key[2], const uint8_t *bytes, size_t size, uint64_t out[2]) {
    uint64_t v0 = key[0] ^ UINT64_C(0x736f6d6570736575), v1 = key[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xee;
    uint64_t v2 = key[0] ^ UINT64_C(0x6c7967656e657261), v3 = key[1] ^ UINT64_C(0x7465646279746573);
    const size_t whole = size & ~(size_t)7;
    uint64_t last = (uint64_t)size << 56;
    for (size_t i = 0; i < whole; i += 8) {
        const uint64_t word = eight(bytes + i);
        v3 ^= word;
        SIP_ROUND;
        v0 ^= word;
    }
    for (size_t i = whole; i < size; i++) last |= (uint64_t)bytes[i] << 8 * (i - whole);
    v3 ^= last;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xee;
    for (int i = 0; i < 3; i++) SIP_ROUND;
    out[0] = v0 ^ v1 ^ v2 ^ v3;
    v1 ^= 0xdd;
    for (int i = 0; i < 3; i++) SIP_ROUND;
    out[1] = v0 ^ v1 ^ v2 ^ v3;
}

/* memcpy, of which a call costs more than these bytes. */
static inline void copy_short(uint8_t *into, const uint8_t *from, int64_t size) {
    if (size > 64) {
        memcpy(into, from, (size_t)size);
        return;
    }
    for (; size >= 8; size -= 8, into += 8, from += 8) memcpy(into, from, 8);
    if (size & 4) memcpy(into, from, 4), into += 4, from += 4;
    if (size & 2) memcpy(into, from, 2), into += 2, from += 2;
    if (size & 1) *into = *from;
}

/* A value's form: ``bytes`` may be the value itself; ``size`` -1: it is an odd one. */
struct form {
    const uint8_t *bytes;
    int64_t size;
};

static inline int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static inline int digits_at(const uint8_t *text, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!is_digit(text[i])) return 0;
    return 1;
}

static inline int two(const uint8_t *text) { return (text[0] - '0') * 10 + text[1] - '0'; }

/* A number without an exponent; ``most``: digits from the first that is not 0 to the last. */
static int64_t number_form_of(const uint8_t *text, int64_t size, int64_t most, uint8_t *out) {
    int64_t at = 0, place = 0, whole, part = 0;
    const int minus = size && text[0] == '-';
    if (size && (text[0] == '-' || text[0] == '+')) at = 1;
    int64_t begin = at;
    while (at < size && is_digit(text[at])) at++;
    whole = at - begin;
    if (at < size && text[at] == '.') {
        const int64_t point = ++at;
        while (at < size && is_digit(text[at])) at++;
        part = at - point;
        if (!whole && !part) return -1;
    }
    if (at < size || !(whole + part)) return -1;
    const uint8_t *behind = text + size - part;
    while (part && behind[part - 1] == '0') part--;
    while (whole && text[begin] == '0') begin++, whole--;
    if (whole > LONGEST_PLAIN || part > LONGEST_PLAIN) return -1;
    if (most < LONGEST_PLAIN) {
        int64_t leading = 0;
        if (!whole)
            while (leading < part && behind[leading] == '0') leading++;
        if (whole + part - leading > most) return -1;
    }
    if (!whole && !part) return out[0] = '0', 1;
    if (minus) out[place++] = '-';
    if (!whole) out[place++] = '0';
    memcpy(out + place, text + begin, (size_t)whole), place += whole;
    if (part) out[place++] = '.', memcpy(out + place, behind, (size_t)part), place += part;
    return place;
}

static int is_day(const uint8_t *text, int64_t size) {
    return size >= 10 && digits_at(text, 4) && text[4] == '-' && digits_at(text + 5, 2) && text[7] == '-' &&
           digits_at(text + 8, 2);
}

/* hh:mm:ss and its fraction, as many bytes as are of it; 0: there is none. ``out``: with no zeros at the fraction's end. */
static int64_t clock_form_of(const uint8_t *text, int64_t size, uint8_t *out, int64_t *written) {
    if (size < 8 || !digits_at(text, 2) || text[2] != ':' || !digits_at(text + 3, 2) || text[5] != ':' ||
        !digits_at(text + 6, 2) || two(text) > 23 || two(text + 3) > 59 || two(text + 6) > 59)
        return 0;
    memcpy(out, text, 8);
    *written = 8;
    if (size < 10 || text[8] != '.' || !is_digit(text[9])) return 8;
    int64_t end = 9;
    while (end < size && is_digit(text[end])) end++;
    int64_t part = end - 9;
    while (part && text[9 + part - 1] == '0') part--;
    if (part > LONGEST_PLAIN) return 0;
    if (part) memcpy(out + 8, text + 8, (size_t)part + 1), *written = 9 + part;
    return end;
}

/* Days since 0000-03-01, and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". Years from 1. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    const int64_t era = year / 400, of_era = year - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
}

static void day_of(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
    const int64_t era = days / 146097, of_era = days - era * 146097;
    const int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * years + years / 4 - years / 100), shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted + (shifted < 10 ? 3 : -9);
    *year = years + era * 400 + (*month <= 2);
}

static void write_digits(uint8_t *out, int64_t value, int count) {
    while (count--) out[count] = (uint8_t)('0' + value % 10), value /= 10;
}

/* An offset from UTC in minutes, the whole rest of a text; 0: it is none. */
static int offset_at(const uint8_t *text, int64_t size, int64_t *minutes) {
    *minutes = 0;
    if (size == 1 && text[0] == 'Z') return 1;
    if ((size != 3 && size != 5 && size != 6) || (text[0] != '+' && text[0] != '-') || !digits_at(text + 1, 2)) return 0;
    if (size == 5 && !digits_at(text + 3, 2)) return 0;
    if (size == 6 && (text[3] != ':' || !digits_at(text + 4, 2))) return 0;
    const int64_t found = two(text + 1) * 60 + (size == 3 ? 0 : two(text + size - 2));
    *minutes = text[0] == '-' ? -found : found;
    return 1;
}

static int64_t moment_form_of(const uint8_t *text, int64_t size, int kind, uint8_t *out) {
    int64_t written = 8, minutes, used = 10;
    if (!is_day(text, size)) return -1;
    const int64_t year = two(text) * 100 + two(text + 2), month = two(text + 5), day = two(text + 8);
    if (!year || month < 1 || month > 12 || day < 1 || day > 31) return -1;
    memcpy(out, text, 10);
    out[10] = ' ';
    if (size == 10)
        memcpy(out + 11, "00:00:00", 8);
    else {
        if (text[10] != ' ' && text[10] != 'T') return -1;
        const int64_t clock = clock_form_of(text + 11, size - 11, out + 11, &written);
        if (!clock) return -1;
        used = 11 + clock;
    }
    if (used == size) return kind == AS_INSTANT ? -1 : 11 + written;
    if ((kind != AS_LOCAL_KEPT && kind != AS_INSTANT) || !offset_at(text + used, size - used, &minutes)) return -1;
    if (kind == AS_LOCAL_KEPT || !minutes) return 11 + written;
    static const uint8_t longest[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
    if (year < 2 || year > 9998 || day > longest[month - 1] + (month == 2 && leap)) return -1; /* Python sees why */
    int64_t all = days_of(year, month, day) * 1440 + two(out + 11) * 60 + two(out + 14) - minutes, y, m, d;
    day_of(all / 1440, &y, &m, &d);
    write_digits(out, y, 4), write_digits(out + 5, m, 2), write_digits(out + 8, d, 2);
    write_digits(out + 11, all % 1440 / 60, 2), write_digits(out + 14, all % 60, 2);
    return 11 + written;
}

static int64_t boolean_form_of(const uint8_t *text, int64_t size, uint8_t *out) {
    static const char *const words[] = {"f", "t", "0", "1", "false", "true"};
    for (int i = 0; i < 6; i++) {
        const int64_t length = (int64_t)strlen(words[i]);
        int64_t j = 0;
        while (j < size && j < length && (text[j] | (text[j] >= 'A' && text[j] <= 'Z' ? 0x20 : 0)) == words[i][j]) j++;
        if (j == size && j == length) {
            memcpy(out, i & 1 ? "True" : "False", i & 1 ? 4 : 5);
            return i & 1 ? 4 : 5;
        }
    }
    return -1;
}

static int64_t hex_form_of(const uint8_t *text, int64_t size, uint8_t *out) {
    int64_t place = 0;
    for (int64_t i = 0; i < size; i++) {
        const uint8_t byte = text[i] >= 'A' && text[i] <= 'F' ? text[i] | 0x20 : text[i];
        if (byte >= 0x80 || place == MOST_FORM) return -1;
        if (is_digit(byte) || (byte >= 'a' && byte <= 'f')) out[place++] = byte;
    }
    return place == 12 ? -1 : place; /* of a network card: Python knows what it may become */
}

static int64_t member_form_of(const uint8_t *text, int64_t size, uint8_t *out) {
    while (size && text[size - 1] == ' ') size--;
    if (size > MOST_FORM) return -1;
    for (int64_t i = 0; i < size; i++) {
        if (text[i] >= 0x80) return -1;
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i];
    }
    return size;
}

static struct form form_of_text(int kind, const uint8_t *text, int64_t size, uint8_t out[MOST_FORM]) {
    int64_t written = -1;
    switch (kind) {
    case AS_TEXT: return (struct form){text, size};
    case AS_PADDED:
        while (size && text[size - 1] == ' ') size--;
        return (struct form){text, size};
    case AS_NUMBER: written = number_form_of(text, size, LONGEST_PLAIN, out); break;
    case AS_SINGLE: written = number_form_of(text, size, 6, out); break;
    case AS_DOUBLE: written = number_form_of(text, size, 15, out); break;
    case AS_DATE: return (struct form){text, size == 10 && is_day(text, size) ? 10 : -1};
    case AS_TIME:
        if (clock_form_of(text, size, out, &written) != size) written = -1;
        break;
    case AS_BOOLEAN: written = boolean_form_of(text, size, out); break;
    case AS_HEX: written = hex_form_of(text, size, out); break;
    case AS_MEMBER: written = member_form_of(text, size, out); break;
    case AS_DATETIME:
    case AS_LOCAL_SAID:
    case AS_LOCAL_KEPT:
    case AS_INSTANT: written = moment_form_of(text, size, kind, out); break;
    default: break;
    }
    return (struct form){out, written};
}

/* Note a value of the next row. 0: it makes the row an odd one. ``text`` NULL: NULL. */
static int take_value(struct rows *rows, int64_t column, const uint8_t *text, int64_t size) {
    const int kind = rows->kinds[column] & KIND_BITS;
    uint8_t *into = rows->forms + rows->taken;
    int64_t written = -1;
    if (!column) rows->by = 0;
    if (text && kind != AS_NOTHING) {
        const struct form form = form_of_text(kind, text, size, into + 8);
        if (form.size < 0) return 0;
        written = form.size;
        if (form.bytes != into + 8) copy_short(into + 8, form.bytes, written);
    }
    memcpy(into, &written, 8);
    if (rows->kinds[column] & IS_BY) {
        const uint64_t chained[2] = {rows->key[0] ^ rows->by, rows->key[1]};
        uint64_t digest[2];
        sip_hash(chained, into, written < 0 ? 8 : 8 + (size_t)written, digest);
        rows->by = digest[0];
    }
    rows->taken += written < 0 ? 8 : 8 + written;
    return 1;
}

/* The row whose forms are there. 0: there is no more room for what is found. */
static int take_row(struct rows *rows, int64_t begin, int64_t end) {
    uint64_t own[2];
    sip_hash(rows->key, rows->forms, (size_t)rows->taken, own);
    const int64_t bucket = (int64_t)((rows->by >> 32) * (uint64_t)rows->buckets >> 32);
    if (rows->wanted) {
        if (!rows->wanted[bucket]) return 1;
        int64_t *found = rows->found + FOUND_WIDTH * rows->found_count++;
        found[0] = begin, found[1] = end;
        memcpy(found + 2, &rows->by, 8), memcpy(found + 3, own, 16);
        return rows->found_count < rows->found_room;
    }
    uint64_t *sums = rows->sums + 3 * bucket;
    sums[0] += own[0];
    sums[1] += own[1] + (sums[0] < own[0]);
    sums[2]++;
    return 1;
}

/* A row is over, from ``begin`` to ``end``. */
static int end_row(struct rows *rows, int is_odd, int64_t begin, int64_t end) {
    rows->number++;
    if (is_odd) {
        rows->odd[ODD_WIDTH * rows->odd_count] = begin;
        rows->odd[ODD_WIDTH * rows->odd_count++ + 1] = end;
        return rows->odd_count < rows->odd_room;
    }
    return take_row(rows, begin, end);
}

static int means_null(const struct rows *rows, const uint8_t *text, int64_t size) {
    for (int64_t at = 0; at < rows->nulls_size; at += 1 + rows->nulls[at])
        if (rows->nulls[at] == size && !memcmp(rows->nulls + at + 1, text, (size_t)size)) return 1;
    return 0;
}

/* Records of RFC 4180, from ``at``, which is moved behind the last whole one. ROWS_STOPPED: the next one is to be read
   otherwise (text behind a closing quote, other fields than columns, a quote that nothing closes, one that is too long). */
EXPORT int32_t sj_rows_of_text(struct rows *rows, const uint8_t *data, int64_t size) {
    const uint8_t delimiter = (uint8_t)rows->delimiter, quote = (uint8_t)rows->quote;
    uint8_t ends[256] = {0};
    ends[delimiter] = ends['\n'] = ends['\r'] = 1;
    while (rows->at < size) {
        const int64_t begin = rows->at;
        int64_t at = begin, column = 0, written = 0;
        rows->taken = 0;
        int is_odd = 0, is_over = 0;
        while (!is_over) {
            const uint8_t *text = data + at;
            int64_t length;
            int quoted = 0;
            if (at < size && data[at] == quote) {
                quoted = 1;
                int64_t from = ++at;
                uint8_t *copy = rows->scratch + written;
                text = data + from, length = 0;
                for (;;) {
                    const uint8_t *close = memchr(data + at, quote, (size_t)(size - at));
                    if (!close) return rows->is_last || size - begin > rows->most_bytes ? ROWS_STOPPED : ROWS_DONE;
                    at = close - data + 1;
                    if (at < size && data[at] == quote) { /* one of two */
                        memcpy(copy + length, data + from, (size_t)(at - from)), length += at - from;
                        from = ++at;
                        text = copy;
                        continue;
                    }
                    if (at == size && !rows->is_last) return size - begin > rows->most_bytes ? ROWS_STOPPED : ROWS_DONE;
                    break;
                }
                if (text == copy) {
                    memcpy(copy + length, data + from, (size_t)(at - 1 - from)), length += at - 1 - from;
                    written += length;
                } else
                    length = at - 1 - from;
            } else {
                while (at < size && !ends[data[at]]) at++;
                length = data + at - text;
            }
            if (at == size) {
                if (!rows->is_last) return size - begin > rows->most_bytes ? ROWS_STOPPED : ROWS_DONE;
                is_over = 1;
            } else if (data[at] == delimiter)
                at++;
            else if (data[at] == '\n')
                at++, is_over = 1;
            else if (data[at] == '\r') {
                if (at + 1 == size && !rows->is_last) return ROWS_DONE;
                at += 1 + (at + 1 < size && data[at + 1] == '\n');
                is_over = 1;
            } else
                return ROWS_STOPPED;
            if (column == rows->columns) return ROWS_STOPPED;
            const int is_null = (!quoted && means_null(rows, text, length)) ||
                                (!length && (rows->kinds[column] & EMPTY_IS_NULL));
            if (!is_odd && !take_value(rows, column, is_null ? NULL : text, length)) is_odd = 1;
            column++;
        }
        if (column != rows->columns || at - begin > rows->most_bytes) return ROWS_STOPPED;
        rows->at = at;
        if (!end_row(rows, is_odd, begin, at)) return ROWS_FULL;
    }
    return ROWS_DONE;
}

static int64_t four(const uint8_t *bytes) {
    return (int64_t)(int32_t)((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
}

static int64_t write_integer(uint64_t value, int minus, uint8_t *out) {
    uint8_t digits[20];
    int64_t count = 0, place = 0;
    do digits[count++] = (uint8_t)('0' + value % 10), value /= 10;
    while (value);
    if (minus) out[place++] = '-';
    while (count) out[place++] = digits[--count];
    return place;
}

/* A float in the fewest digits that mean it, where these are at most 15, at most 9 of them behind the point; -1: another.
   The quotient of two whole numbers that a float holds is rounded as their decimal is, and no two decimals of 15 digits
   mean the same float. */
static int64_t write_short(double value, uint8_t *out) {
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    const double size = value < 0 ? -value : value;
    if (!(size < 1e15)) return -1;
    for (int scale = 0; scale < 10; scale++) {
        const double scaled = size * tens[scale] + 0.5;
        if (!(scaled < 1e15)) return -1;
        const uint64_t whole = (uint64_t)scaled;
        if ((double)whole / tens[scale] != size) continue;
        const uint64_t tens_of = (uint64_t)tens[scale];
        int64_t place = write_integer(whole / tens_of, value < 0, out);
        if (scale) {
            out[place] = '.';
            write_digits(out + place + 1, (int64_t)(whole % tens_of), scale);
            place += 1 + scale;
        }
        return place;
    }
    return -1;
}

/* Rows in the second version of Python's marshal format (Python/marshal.c), from ``at``: tuples or lists of None, texts,
   bytes that are text, whole numbers and floats. ROWS_STRANGE: there is something else. */
EXPORT int32_t sj_rows_of_values(struct rows *rows, const uint8_t *data, int64_t size) {
    if (!rows->at) {
        if (size < 5 || (data[0] != '[' && data[0] != '(')) return ROWS_STRANGE;
        rows->at = 5;
    }
    while (rows->at < size) {
        int64_t at = rows->at;
        int is_odd = 0;
        rows->taken = 0;
        if (size - at < 5 || (data[at] != '(' && data[at] != '[') || four(data + at + 1) != rows->columns) return ROWS_STRANGE;
        at += 5;
        for (int64_t column = 0; column < rows->columns; column++) {
            const int kind = rows->kinds[column] & KIND_BITS;
            uint8_t out[32];
            const uint8_t *text = NULL;
            int64_t length = 0, step = 1;
            const uint8_t type = at < size ? data[at] : 0;
            const int64_t left = size - at;
            if (type == 'N') {
            } else if ((type == 'u' || type == 's') && left >= 5 && (length = four(data + at + 1)) >= 0 && length <= left - 5) {
                text = data + at + 5, step = 5 + length;
                if (type == 's' && rows->bytes_are_odd) is_odd = 1;
            } else if (type == 'i' && left >= 5) {
                const int64_t value = four(data + at + 1);
                text = out, step = 5;
                length = write_integer(value < 0 ? (uint64_t)-value : (uint64_t)value, value < 0, out);
            } else if (type == 'l' && left >= 5) {
                const int64_t signed_count = four(data + at + 1), count = signed_count < 0 ? -signed_count : signed_count;
                uint64_t value = 0;
                if (count > (left - 5) / 2) return ROWS_STRANGE;
                step = 5 + 2 * count, text = out;
                if (count > 4)
                    is_odd = 1;
                else
                    for (int64_t i = count; i--;)
                        value = value << 15 | ((uint64_t)data[at + 5 + 2 * i] | (uint64_t)data[at + 6 + 2 * i] << 8);
                length = write_integer(value, signed_count < 0, out);
            } else if (type == 'g' && left >= 9) {
                double value;
                memcpy(&value, data + at + 1, 8);
                text = out, step = 9;
                length = kind == AS_NUMBER || kind == AS_DOUBLE ? write_short(value, out) : -1;
                if (length < 0) is_odd = kind != AS_NOTHING, length = 0;
            } else
                return ROWS_STRANGE;
            if (!is_odd && !take_value(rows, column, text, length)) is_odd = 1;
            at += step;
        }
        rows->at = at;
        if (!end_row(rows, is_odd, rows->number, rows->number)) return ROWS_FULL;
    }
    return ROWS_DONE;
}

/* Rows as PostgreSQL's COPY writes them (its manual, "COPY", Text Format), whole ones alone, from ``at``. */
EXPORT int32_t sj_rows_of_copy(struct rows *rows, const uint8_t *data, int64_t size) {
    while (rows->at < size) {
        const int64_t begin = rows->at;
        int64_t at = begin, column = 0, written = 0;
        int is_odd = 0, is_over = 0;
        rows->taken = 0;
        while (!is_over) {
            const uint8_t *text = data + at;
            uint8_t *copy = NULL;
            int64_t length = 0;
            while (at < size && data[at] != '\t' && data[at] != '\n') {
                if (data[at] != '\\') {
                    if (copy) copy[length] = data[at];
                    length++, at++;
                    continue;
                }
                if (at + 1 == size) return ROWS_STRANGE;
                if (!copy) copy = rows->scratch + written, memcpy(copy, text, (size_t)length);
                static const char letters[] = "bfnrtv\\N", meant[] = "\b\f\n\r\t\v\\N";
                const char *found = memchr(letters, data[at + 1], 8);
                if (!found) return ROWS_STRANGE;
                copy[length++] = (uint8_t)meant[found - letters];
                at += 2;
            }
            if (at == size || column == rows->columns) return ROWS_STRANGE;
            const int is_null = copy && length == 1 && copy[0] == 'N' && data[at - 1] == 'N' && data[at - 2] == '\\';
            if (!is_odd && !take_value(rows, column, is_null ? NULL : copy ? copy : text, length)) is_odd = 1;
            if (copy) written += length;
            column++;
            is_over = data[at++] == '\n';
        }
        if (column != rows->columns) return ROWS_STRANGE;
        rows->at = at;
        if (!end_row(rows, is_odd, begin, at)) return ROWS_FULL;
    }
    return ROWS_DONE;
}

EXPORT int64_t sj_rows_layout(void) { return (int64_t)sizeof(struct rows); }
