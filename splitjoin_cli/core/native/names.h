/* Names of files in a directory that differ by their number alone, as chunks' do; and the listing of a directory that has them. */

/* ``prefix``, the number in ``width`` digits, ``suffix``; numbers are 1 to ``total``. ``directory``: a descriptor. */
struct numbered {
    const uint8_t *prefix, *suffix;
    int64_t prefix_size, suffix_size, width, total, directory;
};

enum { NAME_BYTES = 512, NUMBER_BYTES = 24, NUMBER_DIGITS = 18 };

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

/* The name of the file ``number``, without an end; what comes after it. */
static char *put_name(char *out, const struct numbered *names, int64_t number) {
    memcpy(out, names->prefix, (size_t)names->prefix_size);
    out += names->prefix_size;
    out += put_number(out, number, (int)names->width);
    memcpy(out, names->suffix, (size_t)names->suffix_size);
    return out + names->suffix_size;
}

/* Whether any of them fits into NAME_BYTES, its end too. */
static int fits_a_name(const struct numbered *names) {
    return names->width <= NUMBER_DIGITS && names->prefix_size + names->suffix_size + NUMBER_BYTES < NAME_BYTES;
}

/* A directory being listed. ``client``: what the names of interest begin with; ``job``: those of chunks. ``total`` and
   ``suffix`` (its place in ``suffixes``): of the chunks that go into the columns; where ``total`` is 0, those of the first
   that comes, which says it there. ``numbers``, ``sizes``, ``times`` (of change, in ns) and ``files`` (inodes) have ``room``;
   ``sizes`` NULL: no more than the numbers is wanted. All other names go into ``others``, each with a NUL, of which there are
   ``others_room`` bytes; those of other jobs' chunks only where ``every`` is not 0. */
struct listing {
    const char *client, *job, *suffixes[3];
    int32_t *numbers;
    int64_t *sizes, *times, *files;
    uint8_t *others;
    int64_t room, others_room, found, others_size, total;
    int32_t suffix, every, error;
};

/* To be closed with sj_close_listing; NULL: the system refuses. */
EXPORT void *sj_open_listing(int32_t directory) {
    const int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return NULL;
    DIR *const listing = fdopendir(own);
    if (!listing) close(own);
    return listing;
}

EXPORT void sj_close_listing(void *listing) { closedir(listing); }

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
static int64_t number_of(struct listing *listing, const char *rest) {
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
        const int64_t number = strncmp(name, listing->job, job) ? 0 : number_of(listing, name + job);
        if (!number) {
            const size_t size = strlen(name) + 1;
            const int is_job = !strncmp(name, listing->job, job);
            if (!listing->every && is_another_jobs(name, size - 1, is_job, listing)) continue;
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
            if (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENAMETOOLONG)
                continue; /* it went meanwhile, or is a link that leads nowhere */
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
