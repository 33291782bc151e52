/* Many small files in one call each way: chunks of one block written, given their names, and their checksums.

   What is done here chunk by chunk, splitjoin_cli/stores/sinks/directory.py does as well, one at a time: the tests hold one
   against the other. A call that the system refuses something says at which chunk, and why; all before it
   is done, and of it nothing but a file without a name yet. */

static void put_file(char *out, int64_t number) { out[put_number(out, number, 0)] = 0; }

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
        put_file(name, first + i);
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

/* Give the ``count`` files of an open folder that are called ``files`` their names in the directory of ``names``: those of the
   chunks ``first`` and after. A file called 0 is none of them. How many have their names; ``error``: why no more, 0 at such a
   file. */
EXPORT int64_t sj_publish(int32_t folder, const int64_t *files, const struct numbered *names, int64_t first, int64_t count,
                          int32_t *error) {
    char file[NUMBER_BYTES], name[NAME_BYTES];
    *error = fits_a_name(names) ? 0 : ENAMETOOLONG;
    if (*error) return 0;
    for (int64_t i = 0; i < count; i++) {
        if (!files[i]) return i;
        put_file(file, files[i]);
        *put_name(name, names, first + i) = 0;
        *error = name_file(folder, file, (int)names->directory, name);
        if (*error) return i;
    }
    return count;
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
