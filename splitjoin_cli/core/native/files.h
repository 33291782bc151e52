/* Many small files of one directory at a call, whose names differ by their number alone: looked at, and put one behind the other.

   A call says of a file only that all is as it was asked: what is not (another size, a name that is gone, a byte that breaks
   the rules) is left to Python, which reads the file again and finds the words for it. So there is one text for each
   problem, and nothing here decides what a user is told. */

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

/* A file that is opened, ordinary, and of ``size`` bytes; -1 for any other. */
static int open_file(const struct numbered *names, int64_t number, int64_t size) {
    char name[NAME_BYTES];
    struct stat status;
    *put_name(name, names, number) = 0;
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
