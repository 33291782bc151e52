/* The lines of a manifest's chunks, written and read: one for each, as ``Manifest.blocks`` makes it; and a plan's checksums.

   A line is read only where it is to the letter what is written of the next chunk; any other is left to Python's reader of
   JSON, which knows what else a line may be, and what to say of one that is wrong. */

/* Lines in columns, of which the first place is chunk ``first`` + 1: ``starts`` has one entry more, since a chunk ends where the
   next begins. ``names``, whose texts are JSON already, but for quotes; ``tag`` stands before a checksum. ``rows`` -1 and ``sums``
   0: not known. */
struct lines {
    struct numbered names;
    const uint8_t *tag;
    int64_t *starts, *rows, *stored;
    uint64_t *sums;
    int64_t tag_size, header_size, first;
};

static char *put_bytes(char *out, const void *bytes, size_t size) {
    memcpy(out, bytes, size);
    return out + size;
}

static char *put_text(char *out, const char *text) { return put_bytes(out, text, strlen(text)); }

/* The 8 bytes of a number, the highest first, in base64: 12 characters. */
static char *put_base64(char *out, uint64_t number) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 10; i++) out[i] = letters[number >> (58 - 6 * i) & 63];
    out[10] = letters[number << 2 & 63];
    out[11] = '=';
    return out + 12;
}

/* The lines of ``count`` chunks from the one in ``place`` on into ``out``, which has room for ``count`` * (both texts + 320
   bytes), a comma and a line feed before each but chunk 1's. How many bytes. */
EXPORT int64_t sj_put_lines(const struct lines *lines, int64_t place, int64_t count, char *out) {
    char *at = out;
    for (int64_t i = place; i < place + count; i++) {
        const int64_t number = lines->first + i + 1, start = lines->starts[i], end = lines->starts[i + 1];
        at = put_text(at, number > 1 ? ",\n{\"number\": " : "{\"number\": ");
        at += put_number(at, number, 0);
        at = put_text(at, ", \"name\": \"");
        at = put_name(at, &lines->names, number);
        at = put_text(at, "\", \"start\": ");
        at += put_number(at, start, 0);
        at = put_text(at, ", \"end\": ");
        at += put_number(at, end, 0);
        at = put_text(at, ", \"bytes\": ");
        at += put_number(at, lines->header_size + end - start, 0);
        at = put_text(at, ", \"stored_bytes\": ");
        at += put_number(at, lines->stored[i], 0);
        at = put_text(at, ", \"rows\": ");
        if (lines->rows[i] < 0)
            at = put_text(at, "null");
        else
            at += put_number(at, lines->rows[i], 0);
        at = put_text(at, ", \"checksum\": ");
        if (lines->sums[i]) {
            *at++ = '"';
            at = put_bytes(at, lines->tag, (size_t)lines->tag_size);
            at = put_base64(at, lines->sums[i]);
            *at++ = '"';
        } else
            at = put_text(at, "null");
        *at++ = '}';
    }
    return at - out;
}

static const uint8_t *skip_text(const uint8_t *at, const uint8_t *end, const char *text, size_t size) {
    return at && (size_t)(end - at) >= size && !memcmp(at, text, size) ? at + size : NULL;
}
#define SKIP(at, end, text) skip_text(at, end, text, sizeof(text) - 1)

/* A whole number as JSON has it, of at most NUMBER_DIGITS digits. */
static const uint8_t *take_number(const uint8_t *at, const uint8_t *end, int64_t *value) {
    if (!at) return NULL;
    const uint8_t *const start = at;
    int64_t number = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - start < NUMBER_DIGITS) number = 10 * number + (*at++ - '0');
    if (at == start || (*start == '0' && at - start > 1)) return NULL;
    *value = number;
    return at;
}

/* Eight bytes in base64, the first the highest: 11 characters and one of padding. */
static const uint8_t *take_base64(const uint8_t *at, const uint8_t *end, uint64_t *value) {
    if (!at || end - at < 12 || at[11] != '=') return NULL;
    uint64_t number = 0;
    for (int i = 0; i < 11; i++) {
        const int c = at[i];
        const int six = c >= 'A' && c <= 'Z'   ? c - 'A'
                        : c >= 'a' && c <= 'z' ? c - 'a' + 26
                        : c >= '0' && c <= '9' ? c - '0' + 52
                        : c == '+'             ? 62
                        : c == '/'             ? 63
                                               : -1;
        if (six < 0 || (i == 10 && six & 3)) return NULL;
        number = i < 10 ? number << 6 | (uint64_t)six : number << 4 | (uint64_t)six >> 2;
    }
    *value = number;
    return at + 12;
}

/* The line of the chunk in ``place``, whose start is known; what comes after it, NULL where it is not to the letter what is
   expected. */
static const uint8_t *take_line(const uint8_t *at, const uint8_t *end, const struct lines *lines, int64_t place) {
    char name[NAME_BYTES];
    int64_t number, start, stop, bytes, stored, rows = -1;
    uint64_t sum = 0;
    at = take_number(SKIP(at, end, "{\"number\": "), end, &number);
    if (!at || number != lines->first + place + 1 || number > lines->names.total) return NULL;
    at = SKIP(at, end, ", \"name\": \"");
    at = skip_text(at, end, name, (size_t)(put_name(name, &lines->names, number) - name));
    at = take_number(SKIP(at, end, "\", \"start\": "), end, &start);
    at = take_number(SKIP(at, end, ", \"end\": "), end, &stop);
    at = take_number(SKIP(at, end, ", \"bytes\": "), end, &bytes);
    at = take_number(SKIP(at, end, ", \"stored_bytes\": "), end, &stored);
    at = SKIP(at, end, ", \"rows\": ");
    if (!at || start != lines->starts[place] || stop < start || bytes != lines->header_size + stop - start) return NULL;
    const uint8_t *const null = SKIP(at, end, "null");
    at = null ? null : take_number(at, end, &rows);
    at = SKIP(at, end, ", \"checksum\": ");
    if (at && end - at && *at == '"') {
        at = skip_text(at + 1, end, (const char *)lines->tag, (size_t)lines->tag_size);
        at = take_base64(at, end, &sum);
        at = SKIP(at, end, "\"");
    } else
        at = SKIP(at, end, "null");
    at = SKIP(at, end, "}");
    if (!at) return NULL;
    const uint8_t *const comma = SKIP(at, end, ",");
    at = SKIP(comma ? comma : at, end, "\n");
    if (!at) return NULL;
    lines->starts[place + 1] = stop;
    lines->rows[place] = rows;
    lines->stored[place] = stored;
    lines->sums[place] = sum;
    return at;
}

/* Take the lines that ``block`` begins with, at most ``count``, into the columns; how many, up to the first that is not to the
   letter what is expected. ``used``: the bytes taken. */
EXPORT int64_t sj_take_lines(const struct lines *lines, int64_t count, const uint8_t *block, int64_t size, int64_t *used) {
    const uint8_t *at = block;
    int64_t taken = 0;
    if (fits_a_name(&lines->names))
        while (taken < count) {
            const uint8_t *const after = take_line(at, block + size, lines, taken);
            if (!after) break;
            at = after;
            taken++;
        }
    *used = at - block;
    return taken;
}

/* ``count`` checksums as a plan has them: "0123456789abcdef", each behind the first with a comma and a space before it. */
EXPORT int64_t sj_hex_sums(const uint64_t *sums, int64_t count, char *out) {
    static const char letters[] = "0123456789abcdef";
    char *at = out;
    for (int64_t i = 0; i < count; i++) {
        at = put_text(at, i ? ", \"" : "\"");
        for (int digit = 60; digit >= 0; digit -= 4) *at++ = letters[sums[i] >> digit & 15];
        *at++ = '"';
    }
    return at - out;
}
