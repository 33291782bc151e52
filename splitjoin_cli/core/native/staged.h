/* Many small files in one call each way: chunks of one block written, given their names, listed; and what a plan and a
   manifest say of them. What is done here chunk by chunk, splitjoin_cli/stores/sinks/directory.py does as well, one at a time:
   the tests hold one against the other. A call that the system refuses something says at which chunk, and why; all before it
   is done, and of it nothing but a file without a name yet. */

enum { NAME_BYTES = 512, NUMBER_BYTES = 24 };

/* ``number`` in decimal, at least ``width`` digits, without an end; how many bytes. */
static int put_number(char *out, int64_t number, int width) {
    char digits[NUMBER_BYTES];
    int size = 0;
    uint64_t left = number < 0 ? (uint64_t)0 - (uint64_t)number : (uint64_t)number;
    do digits[size++] = (char)('0' + left % 10);
    while (left /= 10);
    while (size < width) digits[size++] = '0';
    int at = 0;
    if (number < 0) out[at++] = '-';
    while (size) out[at++] = digits[--size];
    return at;
}

static void put_name(char *out, int64_t number) { out[put_number(out, number, 0)] = 0; }

/* Write it all; 0, or errno. */
static int write_both(int file, const uint8_t *head, size_t head_size, const uint8_t *body, size_t body_size) {
    struct iovec parts[2] = {{(void *)head, head_size}, {(void *)body, body_size}};
    size_t left = head_size + body_size;
    while (left) {
        const ssize_t wrote = writev(file, parts, 2);
        if (wrote < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        if (!wrote) return EIO;
        left -= (size_t)wrote;
        size_t gone = (size_t)wrote;
        for (int i = 0; i < 2; i++) {
            const size_t part = gone < parts[i].iov_len ? gone : parts[i].iov_len;
            parts[i].iov_base = (uint8_t *)parts[i].iov_base + part;
            parts[i].iov_len -= part;
            gone -= part;
        }
    }
    return 0;
}

static int write_file(int folder, const char *name, const uint8_t *head, size_t head_size, const uint8_t *body,
                      size_t body_size, int sync) {
    const int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file < 0) return errno;
    int error = write_both(file, head, head_size, body, body_size);
    if (!error && sync && fsync(file)) error = errno;
    if (close(file) && !error && errno != EINTR) error = errno; /* some file systems tell only now that the disk is full */
    return error;
}

/* Write ``count`` chunks into new files of an open folder, called ``first``, ``first`` + 1, ...: each ``head`` and the next
   run of ``body``, which begins at ``start`` and of which the runs end at ``ends``. How many are written; ``error``: why no
   more. */
EXPORT int64_t sj_stage(int32_t folder, int64_t first, const uint8_t *head, int64_t head_size, const uint8_t *body,
                        int64_t start, const int64_t *ends, int64_t count, int32_t sync, int32_t *error) {
    char name[NUMBER_BYTES];
    *error = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t begin = i ? ends[i - 1] : start;
        put_name(name, first + i);
        *error = write_file(folder, name, head, (size_t)head_size, body + (begin - start), (size_t)(ends[i] - begin), sync);
        if (*error) return i;
    }
    return count;
}

/* Move a file to a name that must be free; 0, or errno. Where the file system knows no such move, by a hard link. */
static int name_file(int folder, const char *file, int place, const char *name) {
#if defined(__linux__) && defined(SYS_renameat2)
    if (!syscall(SYS_renameat2, folder, file, place, name, 1 /* RENAME_NOREPLACE */)) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
#endif
    if (linkat(folder, file, place, name, 0)) return errno;
    return unlinkat(folder, file, 0) ? errno : 0;
}

/* Give the ``count`` files of an open folder that are called ``files`` their names in the open directory ``place``: those of
   the chunks ``first`` and after, ``prefix``, the number in ``width`` digits, ``suffix``. A file called 0 is none of them.
   How many have their names; ``error``: why no more, 0 at such a file. */
EXPORT int64_t sj_publish(int32_t folder, const int64_t *files, int32_t place, const char *prefix, const char *suffix,
                          int32_t width, int64_t first, int64_t count, int32_t *error) {
    char file[NUMBER_BYTES], name[NAME_BYTES];
    const size_t size = strlen(prefix), end = strlen(suffix) + 1;
    *error = 0;
    if (size + end + NUMBER_BYTES > NAME_BYTES || width >= NUMBER_BYTES) {
        *error = ENAMETOOLONG;
        return 0;
    }
    memcpy(name, prefix, size);
    for (int64_t i = 0; i < count; i++) {
        if (!files[i]) return i;
        put_name(file, files[i]);
        const size_t digits = (size_t)put_number(name + size, first + i, width);
        memcpy(name + size + digits, suffix, end);
        *error = name_file(folder, file, place, name);
        if (*error) return i;
    }
    return count;
}

/* A directory being listed. ``client``: what the names of interest begin with; ``job``: those of chunks. ``total`` and
   ``suffix`` (its place in ``suffixes``): of the chunks that go into the columns, those of the first chunk that came; 0
   while none has. ``sizes`` NULL: no more than the numbers is wanted. ``numbers``, ``sizes``, ``times`` (of change, in ns) and ``files`` (inodes) have ``room``. All other names go
   into ``others``, each with a NUL, of which there are ``others_room`` bytes. */
struct listing {
    const char *client, *job, *suffixes[3];
    int32_t *numbers;
    int64_t *sizes, *times, *files;
    uint8_t *others;
    int64_t room, others_room, found, others_size, total;
    int32_t suffix, error;
};

/* A number without a sign, of at most 9 digits, the first of them no 0 where ``plain``; what comes after it, or NULL. */
static const char *read_number(const char *at, int plain, int64_t *number, int *digits) {
    *number = *digits = 0;
    if (plain && *at == '0') return NULL;
    while (*at >= '0' && *at <= '9' && *digits < 10) {
        *number = 10 * *number + (*at++ - '0');
        ++*digits;
    }
    return *digits && *digits < 10 ? at : NULL;
}

/* The number that a name says as chunks of ``listing`` are called, the first of which says how; 0: it is called otherwise. */
static int64_t numbered(struct listing *listing, const char *rest) {
    int64_t number, total;
    int width, digits, suffix = 0;
    const char *at = read_number(rest, 0, &number, &width);
    if (!at || *at != '-') return 0;
    at = read_number(at + 1, 1, &total, &digits);
    if (!at || digits != width || number < 1 || number > total) return 0;
    while (suffix < 3 && strcmp(at, listing->suffixes[suffix])) suffix++;
    if (suffix == 3) return 0;
    if (!listing->total) {
        listing->total = total;
        listing->suffix = suffix;
    }
    return listing->total == total && listing->suffix == suffix ? number : 0;
}

/* Whether a name that is not called as the job's chunks are is one of another job's chunks: nobody asks for those. A name
   beyond ASCII may be the job's in another form of Unicode. */
static int is_another_jobs(const char *name, size_t size, int is_job, const struct listing *listing) {
    if (is_job) return 0;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)name[i] > 127) return 0;
    for (int i = 0; i < 3; i++) {
        const char *const end = listing->suffixes[i];
        const size_t length = strlen(end);
        if (size > length && !strcmp(name + size - length, end)) return 1;
    }
    return 0;
}

/* Whether the directory itself says that an entry is an ordinary file. */
static int is_file(const struct dirent *entry) {
#ifdef DT_REG
    return entry->d_type == DT_REG;
#else
    return 0;
#endif
}

/* Go on with a listing, from ``found`` and ``others_size`` 0. 1: there is more; 0: that was all; -1: ``error``. */
EXPORT int32_t sj_list(void *stream, struct listing *listing) {
    const size_t client = strlen(listing->client), job = strlen(listing->job);
    const int directory = dirfd(stream);
    listing->found = listing->others_size = 0;
    while (listing->found < listing->room && listing->others_size + NAME_BYTES <= listing->others_room) {
        errno = 0;
        const struct dirent *const entry = readdir(stream);
        if (!entry) {
            listing->error = errno;
            return errno ? -1 : 0;
        }
        const char *const name = entry->d_name;
        if (strncmp(name, listing->client, client)) continue;
        const int64_t number = strncmp(name, listing->job, job) ? 0 : numbered(listing, name + job);
        if (!number) {
            const size_t size = strlen(name) + 1;
            if (is_another_jobs(name, size - 1, strncmp(name, listing->job, job) == 0, listing)) continue;
            if (size > NAME_BYTES) continue; /* longer than any name of ours */
            memcpy(listing->others + listing->others_size, name, size);
            listing->others_size += (int64_t)size;
            continue;
        }
        if (!listing->sizes && is_file(entry)) {
            listing->numbers[listing->found++] = (int32_t)number;
            continue;
        }
        struct stat status;
        if (fstatat(directory, name, &status, 0)) {
            if (errno == ENOENT || errno == ELOOP) continue; /* it went meanwhile, or is a link that leads nowhere */
            listing->error = errno;
            return -1;
        }
        if (!S_ISREG(status.st_mode)) continue;
        const int64_t at = listing->found++;
        listing->numbers[at] = (int32_t)number;
        if (!listing->sizes) continue;
        listing->sizes[at] = status.st_size;
#ifdef __APPLE__
        listing->times[at] = (int64_t)status.st_mtimespec.tv_sec * 1000000000 + status.st_mtimespec.tv_nsec;
#else
        listing->times[at] = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
#endif
        listing->files[at] = (int64_t)status.st_ino;
    }
    return 1;
}

/* Of ``count`` chunks in a block that begins at ``base``, from ``start`` on and ending at ``ends``: ``sums``, the CRC-64/NVME of
   each behind a header whose own is ``head``. */
EXPORT void sj_sums(int32_t level, const uint8_t *block, int64_t base, int64_t start, const int64_t *ends, int64_t count,
                    uint64_t head, uint64_t *sums) {
    for (int64_t i = 0; i < count; i++) {
        sums[i] = ~levels[level].crc(~head, block + (start - base), (size_t)(ends[i] - start));
        start = ends[i];
    }
}

/* A manifest's lines. ``name`` and ``suffix`` are JSON already, but for quotes. ``rows`` -1 and ``sums`` 0: not known. */
struct written_lines {
    const char *name, *suffix, *tag;
    const int64_t *starts, *rows, *stored;
    const uint64_t *sums;
    int64_t width, header_size;
};

static char *put_text(char *out, const char *text) {
    const size_t size = strlen(text);
    memcpy(out, text, size);
    return out + size;
}

/* The 8 bytes of a number, the highest first, in base64: 12 characters. */
static char *put_base64(char *out, uint64_t number) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 10; i++) out[i] = letters[number >> (58 - 6 * i) & 63];
    out[10] = letters[number << 2 & 63];
    out[11] = '=';
    return out + 12;
}

/* The lines of ``count`` chunks from the one at ``first`` (0: chunk 1) on into ``out``, which has room for
   ``count`` * (both texts + 320 bytes), a comma and a line feed before each but chunk 1's. How many bytes. */
EXPORT int64_t sj_lines_of(const struct written_lines *lines, int64_t first, int64_t count, char *out) {
    char *at = out;
    for (int64_t i = first; i < first + count; i++) {
        const int64_t start = lines->starts[i], end = lines->starts[i + 1];
        at = put_text(at, i ? ",\n{\"number\": " : "{\"number\": ");
        at += put_number(at, i + 1, 0);
        at = put_text(at, ", \"name\": \"");
        at = put_text(at, lines->name);
        at += put_number(at, i + 1, (int)lines->width);
        at = put_text(at, lines->suffix);
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
            at = put_text(at, lines->tag);
            at = put_base64(at, lines->sums[i]);
            *at++ = '"';
        } else
            at = put_text(at, "null");
        *at++ = '}';
    }
    return at - out;
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

/* As sj_layout, of what is handed over here. */
EXPORT int64_t sj_staged_layout(void) {
    return (int64_t)((uint64_t)sizeof(struct listing) | (uint64_t)sizeof(struct written_lines) << 16);
}
