/* Many small files of one directory at a call, whose names differ by their number alone; and the lines of a manifest.

   A call says of a file only that all is as it was asked: what is not (another size, a name that is gone, a byte that breaks
   the rules) is left to Python, which reads the file again and finds the words for it. So there is one text for each
   problem, and nothing here decides what a user is told. */

/* ``prefix``, the number in ``width`` digits, ``suffix``; numbers are 1 to ``total``. ``directory``: a descriptor. */
struct numbered {
    const uint8_t *prefix, *suffix;
    int64_t prefix_size, suffix_size, width, total, directory;
};

/* What a run of files is held against, in columns that begin with number 1: file i is ``header`` and starts[i + 1] -
   starts[i] bytes. What may be NULL: ``sizes`` (those bytes once more), ``sums`` (0: not known), ``rows`` (-1: not known),
   ``source`` (the bytes that the bodies must be, from ``source_start`` on), one of ``dialect`` and ``table``. ``room`` bytes
   of ``buffer`` are for any use. */
struct expected {
    const int64_t *starts, *sizes, *rows;
    const uint64_t *sums;
    const uint8_t *header, *source;
    const struct dialect *dialect;
    const struct table *table;
    uint8_t *buffer;
    int64_t header_size, source_start, room;
    int64_t records, bytes; /* found, of the files that are right */
};

/* The lines of a manifest's chunks, as ``Manifest.blocks`` writes them: the next one is ``number``, begins at ``end``, and has
   ``header_size`` bytes before its range. ``checksum_tag`` stands before its checksum. */
struct lines {
    const uint8_t *checksum_tag;
    int64_t *ends, *rows, *stored;
    uint64_t *sums;
    int64_t tag_size, header_size, room, number, end;
};

enum { NAME_ROOM = 256, NUMBER_DIGITS = 18 };

static void file_name(char *name, const struct numbered *names, int64_t number) {
    memcpy(name, names->prefix, (size_t)names->prefix_size);
    char *digits = name + names->prefix_size;
    for (int64_t i = names->width - 1; i >= 0; i--, number /= 10) digits[i] = (char)('0' + number % 10);
    memcpy(digits + names->width, names->suffix, (size_t)names->suffix_size);
    digits[names->width + names->suffix_size] = 0;
}

static int fits_a_name(const struct numbered *names) {
    return names->width <= NUMBER_DIGITS && names->prefix_size + names->width + names->suffix_size < NAME_ROOM;
}

/* A file that is opened, ordinary, and of ``size`` bytes; -1 for any other. */
static int open_file(const struct numbered *names, int64_t number, int64_t size) {
    char name[NAME_ROOM];
    struct stat status;
    file_name(name, names, number);
    const int file = openat((int)names->directory, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return -1;
    if (!fstat(file, &status) && S_ISREG(status.st_mode) && status.st_size == size) return file;
    close(file);
    return -1;
}

/* Read a file's ``head_size`` and ``size`` bytes, and close it; whether all came. */
static int read_file(int file, uint8_t *head, int64_t head_size, uint8_t *bytes, int64_t size) {
    int64_t done = 0;
    while (done < head_size + size) {
        struct iovec pieces[2] = {{head + done, (size_t)(head_size - done)}, {bytes, (size_t)size}};
        const int past = done >= head_size;
        if (past) pieces[1] = (struct iovec){bytes + (done - head_size), (size_t)(head_size + size - done)};
        const ssize_t got = readv(file, pieces + past, 2 - past);
        if (got <= 0 && !(got < 0 && errno == EINTR)) break;
        if (got > 0) done += got;
    }
    close(file);
    return done == head_size + size;
}

/* Whether whole records end with the last byte, as many as ``said`` (-1: any number); how many goes into ``found``. */
static int whole_records(int32_t level, const struct expected *want, const uint8_t *body, int64_t size, int64_t said,
                         int64_t *found) {
    struct outcome out;
    *found = 0;
    if (size) {
        if (want->table) {
            struct errands asked = {.out = &out, .defect = NOT_FOUND};
            levels[level].table(body, (size_t)size, want->table, FIELD, WALK, &asked);
            if (asked.defect != NOT_FOUND) return 0;
        } else {
            levels[level].scan(body, (size_t)size, want->dialect, FIELD, &out);
            if (out.stray != NOT_FOUND || out.lone != NOT_FOUND) return 0;
        }
        if (out.last_end != size) return 0;
        *found = out.records;
    }
    return said < 0 || said == *found;
}

/* The bytes of a body by the columns; -1 where they contradict each other. */
static int64_t body_size(const struct expected *want, int64_t place) {
    const int64_t size = want->starts[place + 1] - want->starts[place];
    return want->sizes && want->sizes[place] != want->header_size + size ? -1 : size;
}

/* Look at the files ``first`` and the ``count`` - 1 after it: fine[i] is 1 where file ``first`` + i is all that is expected
   of it. How many are. */
EXPORT int64_t sj_check_files(int32_t level, const struct numbered *names, struct expected *want, int64_t first, int64_t count,
                              uint8_t *fine) {
    int64_t right = 0;
    want->records = want->bytes = 0;
    memset(fine, 0, (size_t)count);
    if (!fits_a_name(names)) return 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = first - 1 + i, start = want->starts[place], size = body_size(want, place);
        if (size < 0 || want->header_size + size > want->room) continue;
        uint8_t *const body = want->buffer + want->header_size;
        const int file = open_file(names, first + i, want->header_size + size);
        if (file < 0 || !read_file(file, want->buffer, want->header_size, body, size)) continue;
        if (memcmp(want->buffer, want->header, (size_t)want->header_size)) continue;
        if (want->sums && want->sums[place] &&
            ~levels[level].crc(~UINT64_C(0), want->buffer, (size_t)(want->header_size + size)) != want->sums[place])
            continue;
        if (want->source && memcmp(want->source + (start - want->source_start), body, (size_t)size)) continue;
        int64_t records;
        if (!whole_records(level, want, body, size, want->rows ? want->rows[place] : -1, &records)) continue;
        fine[i] = 1;
        right++;
        want->records += records;
        want->bytes += want->header_size + size;
    }
    return right;
}

/* Put the bodies of the files ``first`` and after, at most ``count``, one behind the other into ``out``, which has room for
   them all. How many came before the first that is not what is expected of it. The header is read into the buffer. */
EXPORT int64_t sj_join_files(int32_t level, const struct numbered *names, struct expected *want, int64_t first, int64_t count,
                             uint8_t *out) {
    want->bytes = 0;
    if (!fits_a_name(names) || want->header_size > want->room) return 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = first - 1 + i, size = body_size(want, place);
        if (size < 0) return i;
        const int file = open_file(names, first + i, want->header_size + size);
        if (file < 0 || !read_file(file, want->buffer, want->header_size, out, size)) return i;
        if (memcmp(want->buffer, want->header, (size_t)want->header_size)) return i;
        if (want->sums && want->sums[place]) {
            const uint64_t head = levels[level].crc(~UINT64_C(0), want->buffer, (size_t)want->header_size);
            if (~levels[level].crc(head, out, (size_t)size) != want->sums[place]) return i;
        }
        out += size;
        want->bytes += want->header_size + size;
    }
    return count;
}

/* A listing of a directory, to be closed with sj_close_listing; NULL: the system refuses, and errno says why. */
EXPORT void *sj_open_listing(int32_t directory) {
    const int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return NULL;
    DIR *const listing = fdopendir(own);
    if (!listing) close(own);
    return listing;
}

EXPORT void sj_close_listing(void *listing) { closedir(listing); }

/* The number that a file's name has; 0: it is none of ``names``. */
static int64_t number_of(const char *name, size_t size, const struct numbered *names) {
    int64_t number = 0;
    if ((int64_t)size != names->prefix_size + names->width + names->suffix_size) return 0;
    const char *const digits = name + names->prefix_size;
    for (int64_t i = 0; i < names->width; i++) {
        if (digits[i] < '0' || digits[i] > '9') return 0;
        number = 10 * number + (digits[i] - '0');
    }
    if (memcmp(digits + names->width, names->suffix, (size_t)names->suffix_size)) return 0;
    return number <= names->total ? number : 0;
}

/* Go on with a listing: sizes[number - 1] of the ordinary files that ``names`` names. Other names that begin with its
   prefix, and those whose status the system does not give, go into ``others``, each with a NUL; ``used`` bytes of its
   ``room``. Where ``sizes`` is NULL, nothing is asked of the files, and all other names go into ``others``. 1: there is
   more, ``others`` is full; 0: that was all; else minus errno. */
EXPORT int64_t sj_list_files(void *listing, const struct numbered *names, int64_t *sizes, uint8_t *others, int64_t room,
                             int64_t *used) {
    *used = 0;
    if (!fits_a_name(names)) return -ENAMETOOLONG;
    while (room - *used > NAME_ROOM) {
        errno = 0;
        const struct dirent *const entry = readdir(listing);
        if (!entry) return -errno;
        const size_t size = strlen(entry->d_name);
        const int begins = (int64_t)size >= names->prefix_size &&
                           !memcmp(entry->d_name, names->prefix, (size_t)names->prefix_size);
        if (sizes && !begins) continue;
        const int64_t number = begins ? number_of(entry->d_name, size, names) : 0;
        if (!sizes && number) continue;
        struct stat status;
        if (number && !fstatat((int)names->directory, entry->d_name, &status, 0)) {
            if (S_ISREG(status.st_mode)) sizes[number - 1] = status.st_size;
            continue;
        }
        if (number && errno == ENOENT) continue; /* a link that leads nowhere, or a file that went meanwhile */
        memcpy(others + *used, entry->d_name, size + 1);
        *used += (int64_t)size + 1;
    }
    return 1;
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

/* One line; the place after it, NULL where it is not to the letter what is expected. */
static const uint8_t *take_line(const uint8_t *at, const uint8_t *end, const struct numbered *names, const struct lines *next,
                                int64_t place) {
    char name[NAME_ROOM];
    int64_t number, start, stop, bytes, stored, rows = -1;
    uint64_t sum = 0;
    at = take_number(SKIP(at, end, "{\"number\": "), end, &number);
    if (!at || number != next->number || number > names->total) return NULL;
    file_name(name, names, number);
    at = SKIP(at, end, ", \"name\": \"");
    at = skip_text(at, end, name, (size_t)(names->prefix_size + names->width + names->suffix_size));
    at = take_number(SKIP(at, end, "\", \"start\": "), end, &start);
    at = take_number(SKIP(at, end, ", \"end\": "), end, &stop);
    at = take_number(SKIP(at, end, ", \"bytes\": "), end, &bytes);
    at = take_number(SKIP(at, end, ", \"stored_bytes\": "), end, &stored);
    at = SKIP(at, end, ", \"rows\": ");
    if (!at || start != next->end || stop < start || bytes != next->header_size + stop - start) return NULL;
    const uint8_t *const null = SKIP(at, end, "null");
    at = null ? null : take_number(at, end, &rows);
    at = SKIP(at, end, ", \"checksum\": ");
    if (at && end - at && *at == '"') {
        at = skip_text(at + 1, end, (const char *)next->checksum_tag, (size_t)next->tag_size);
        at = take_base64(at, end, &sum);
        at = SKIP(at, end, "\"");
    } else
        at = SKIP(at, end, "null");
    at = SKIP(at, end, "}");
    if (!at) return NULL;
    const uint8_t *const comma = SKIP(at, end, ",");
    at = SKIP(comma ? comma : at, end, "\n");
    if (!at) return NULL;
    next->ends[place] = stop;
    next->rows[place] = rows;
    next->stored[place] = stored;
    next->sums[place] = sum;
    return at;
}

/* Take the lines that ``block`` begins with, at most ``room``, into the columns; how many, up to the first that is not to the
   letter what is expected. ``number`` and ``end`` go on; ``used``: the bytes taken. */
EXPORT int64_t sj_manifest_lines(const uint8_t *block, int64_t size, const struct numbered *names, struct lines *next,
                                 int64_t *used) {
    const uint8_t *at = block;
    int64_t taken = 0;
    if (fits_a_name(names))
        while (taken < next->room) {
            const uint8_t *const after = take_line(at, block + size, names, next, taken);
            if (!after) break;
            at = after;
            next->end = next->ends[taken++];
            next->number++;
        }
    *used = at - block;
    return taken;
}

/* As sj_layout, of what is handed over here. */
EXPORT int64_t sj_files_layout(void) {
    return (int64_t)((uint64_t)sizeof(struct numbered) | (uint64_t)sizeof(struct expected) << 16 |
                     (uint64_t)sizeof(struct lines) << 32);
}
