/* Makes calls on files fail as those on a broken, full or interrupted disk do, for tests: preloaded into a program (LD_PRELOAD).
 *
 * FAULT_BELOW: the folder whose files are meant (a real path), or FAULT_FILE: the end of the path of the file that is meant.
 * FAULT_KIND: which calls fail (a name of `kinds`).
 * FAULT_AT: the number of the call of this kind that fails, counted from 1 over all threads and children.
 * FAULT_FROM: instead of a number, the offset in the file from which on reads fail.
 * FAULT_ERROR: the errno of the failed call; 0: the call moves half of what it was asked to (read, write).
 * FAULT_LASTS: 1 where all later calls of the kind fail too. Of a disk that is full (ENOSPC) the first write then ends in its middle.
 * FAULT_REPORT: a file of REPORT_SIZE bytes, which is there: the numbers of calls by kind (64 bits each, in the machine's order),
 * and behind them the path and the name of the first call that failed, or text of zeros where none did.
 *
 * A call that fails does nothing, but for close, which closes the file (Linux does so even where it says EINTR). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { READ, WRITE, COPY, SYNC, OPEN, CREATE, RENAME, LINK, UNLINK, TRUNCATE, CLOSE, FOLDER, KINDS };
static const char *const kinds[KINDS] = {"read",   "write", "copy",   "sync",     "open",  "create",
                                         "rename", "link",  "unlink", "truncate", "close", "folder"};

#define REPORT_SIZE 4096
struct report {
    _Atomic uint64_t calls[KINDS];
    /* The call that failed and its path; written once. */
    char hit[REPORT_SIZE - KINDS * sizeof(uint64_t)];
};

static struct {
    const char *below, *file;
    size_t below_length, file_length;
    int kind, error, lasts;
    uint64_t at;
    long long from;
    atomic_int has_hit;
    struct report *report;
    struct report own;
} plan;

/* The function of the next library. */
#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) {
    const char *text = getenv("FAULT_BELOW");
    plan.below = text;
    plan.below_length = text ? strlen(text) : 0;
    plan.file = getenv("FAULT_FILE");
    plan.file_length = plan.file ? strlen(plan.file) : 0;
    plan.kind = -1;
    if ((text = getenv("FAULT_KIND")))
        for (int kind = 0; kind < KINDS; kind++)
            if (!strcmp(text, kinds[kind])) plan.kind = kind;
    plan.at = (text = getenv("FAULT_AT")) ? strtoull(text, NULL, 10) : 0;
    plan.from = (text = getenv("FAULT_FROM")) ? atoll(text) : -1;
    plan.error = (text = getenv("FAULT_ERROR")) ? atoi(text) : EIO;
    plan.lasts = (text = getenv("FAULT_LASTS")) ? atoi(text) : 0;
    plan.report = &plan.own;
    if (!(text = getenv("FAULT_REPORT"))) return;
    int file = REAL(open)(text, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *map = mmap(NULL, REPORT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map != MAP_FAILED) plan.report = map;
    REAL(close)(file);
}

/* MARK: names */

static size_t descriptor_path(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length < 0 ? 0 : (size_t)length;
}

static int is_meant(const char *path) {
    size_t length = strlen(path);
    size_t below = plan.below_length;
    if (plan.below && length > below && !memcmp(path, plan.below, below) && path[below] == '/') return 1;
    return plan.file && length >= plan.file_length && !memcmp(path + length - plan.file_length, plan.file, plan.file_length);
}

/* A path through a descriptor of this process, such as /proc/self/fd/7/name, as it is on the disk. */
static void resolve(int folder, const char *name, char *path) {
    static const char own[] = "/proc/self/fd/";
    char *rest = NULL;
    if (!strncmp(name, own, sizeof own - 1)) {
        folder = (int)strtol(name + sizeof own - 1, &rest, 10);
    } else if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    size_t length = 0;
    if (folder == AT_FDCWD) {
        if (getcwd(path, PATH_MAX)) length = strlen(path);
    } else {
        length = descriptor_path(folder, path);
    }
    snprintf(path + length, PATH_MAX - length, rest ? "%s" : "/%s", rest ? rest : name);
}

/* MARK: the decision */

/* True where this call is to fail, which it counts; errno is set then. */
static int fails(enum kind kind, const char *call, const char *path, long long offset) {
    int before = errno;
    if (!is_meant(path)) {
        errno = before;
        return 0;
    }
    uint64_t number = atomic_fetch_add(&plan.report->calls[kind], 1) + 1;
    int hits = 0;
    if ((int)kind == plan.kind) {
        if (plan.from >= 0) hits = offset >= plan.from;
        else hits = plan.at && (number == plan.at || (plan.lasts && number > plan.at));
    }
    if (hits && !atomic_exchange(&plan.has_hit, 1)) snprintf(plan.report->hit, sizeof plan.report->hit, "%s %s", call, path);
    errno = hits && plan.error ? plan.error : before;
    return hits;
}

static int descriptor_fails(enum kind kind, const char *call, int descriptor, long long offset) {
    pthread_once(&once, prepare);
    int before = errno;
    char path[PATH_MAX];
    descriptor_path(descriptor, path);
    errno = before;
    return fails(kind, call, path, offset);
}

static int path_fails(enum kind kind, const char *call, int folder, const char *name) {
    pthread_once(&once, prepare);
    int before = errno;
    char path[PATH_MAX];
    resolve(folder, name ? name : "", path);
    errno = before;
    return fails(kind, call, path, LLONG_MAX);
}

/* Bytes that a call may move that is to fail: 0 where it fails with errno. */
static size_t allowed(enum kind kind, size_t count) {
    static atomic_int was_full;
    if (!plan.error) return count > 1 ? count / 2 : count;
    if (kind == WRITE && plan.error == ENOSPC && plan.lasts && count > 1 && !atomic_exchange(&was_full, 1)) return count / 2;
    return 0;
}

/* MARK: reading and writing */

/* The offset at which a descriptor reads; asked for where it matters. */
static long long here(int descriptor) {
    if (plan.from < 0) return 0;
    int before = errno;
    off_t offset = lseek(descriptor, 0, SEEK_CUR);
    errno = before;
    return offset;
}

#define MOVE(kind, name, parameters, offset, arguments)                                                                                    \
    ssize_t name parameters {                                                                                                              \
        if (descriptor_fails(kind, #name, descriptor, offset) && !(count = allowed(kind, count))) return -1;                               \
        return REAL(name) arguments;                                                                                                       \
    }

MOVE(READ, read, (int descriptor, void *buffer, size_t count), here(descriptor), (descriptor, buffer, count))
MOVE(READ, pread, (int descriptor, void *buffer, size_t count, off_t offset), offset, (descriptor, buffer, count, offset))
MOVE(READ, pread64, (int descriptor, void *buffer, size_t count, off64_t offset), offset, (descriptor, buffer, count, offset))
MOVE(WRITE, write, (int descriptor, const void *buffer, size_t count), 0, (descriptor, buffer, count))
MOVE(WRITE, pwrite, (int descriptor, const void *buffer, size_t count, off_t offset), 0, (descriptor, buffer, count, offset))
MOVE(WRITE, pwrite64, (int descriptor, const void *buffer, size_t count, off64_t offset), 0, (descriptor, buffer, count, offset))
MOVE(COPY, copy_file_range, (int from, off64_t *at, int descriptor, off64_t *to, size_t count, unsigned flags), 0,
     (from, at, descriptor, to, count, flags))
MOVE(COPY, sendfile, (int descriptor, int from, off_t *at, size_t count), 0, (descriptor, from, at, count))
MOVE(COPY, sendfile64, (int descriptor, int from, off64_t *at, size_t count), 0, (descriptor, from, at, count))

/* Of several buffers, a call that moves half moves the first half of them, or half of the only one. */
#define MOVE_VECTOR(kind, name, parameters, offset, arguments)                                                                             \
    ssize_t name parameters {                                                                                                              \
        struct iovec half;                                                                                                                 \
        if (descriptor_fails(kind, #name, descriptor, offset)) {                                                                           \
            if (count == 1 && (half.iov_len = allowed(kind, vector->iov_len))) {                                                           \
                half.iov_base = vector->iov_base;                                                                                          \
                vector = &half;                                                                                                            \
            } else if (!(count = (int)allowed(kind, (size_t)count))) return -1;                                                            \
        }                                                                                                                                  \
        return REAL(name) arguments;                                                                                                       \
    }

MOVE_VECTOR(READ, readv, (int descriptor, const struct iovec *vector, int count), here(descriptor), (descriptor, vector, count))
MOVE_VECTOR(READ, preadv, (int descriptor, const struct iovec *vector, int count, off_t offset), offset,
            (descriptor, vector, count, offset))
MOVE_VECTOR(WRITE, writev, (int descriptor, const struct iovec *vector, int count), 0, (descriptor, vector, count))
MOVE_VECTOR(WRITE, pwritev, (int descriptor, const struct iovec *vector, int count, off_t offset), 0, (descriptor, vector, count, offset))

/* MARK: descriptors */

#define ON_DESCRIPTOR(kind, name, parameters, arguments)                                                                                   \
    int name parameters {                                                                                                                  \
        if (descriptor_fails(kind, #name, descriptor, 0) && plan.error) return -1;                                                         \
        return REAL(name) arguments;                                                                                                       \
    }

ON_DESCRIPTOR(SYNC, fsync, (int descriptor), (descriptor))
ON_DESCRIPTOR(SYNC, fdatasync, (int descriptor), (descriptor))
ON_DESCRIPTOR(SYNC, syncfs, (int descriptor), (descriptor))
ON_DESCRIPTOR(TRUNCATE, ftruncate, (int descriptor, off_t length), (descriptor, length))
ON_DESCRIPTOR(TRUNCATE, ftruncate64, (int descriptor, off64_t length), (descriptor, length))
ON_DESCRIPTOR(TRUNCATE, fallocate, (int descriptor, int mode, off_t offset, off_t length), (descriptor, mode, offset, length))
ON_DESCRIPTOR(TRUNCATE, fallocate64, (int descriptor, int mode, off64_t offset, off64_t length), (descriptor, mode, offset, length))

/* posix_fallocate returns its error. */
int posix_fallocate(int descriptor, off_t offset, off_t length) {
    if (descriptor_fails(TRUNCATE, "posix_fallocate", descriptor, 0) && plan.error) return plan.error;
    return REAL(posix_fallocate)(descriptor, offset, length);
}

int close(int descriptor) {
    int has_failed = descriptor_fails(CLOSE, "close", descriptor, 0) && plan.error;
    int result = REAL(close)(descriptor);
    if (!has_failed) return result;
    errno = plan.error;
    return -1;
}

/* MARK: paths */

static enum kind opening(int flags) { return flags & O_CREAT || (flags & O_ACCMODE) != O_RDONLY ? CREATE : OPEN; }

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

#define OPEN_PATH(name, parameters, folder, arguments)                                                                                     \
    int name parameters {                                                                                                                  \
        va_list rest;                                                                                                                      \
        va_start(rest, flags);                                                                                                             \
        mode_t mode = mode_of(flags, rest);                                                                                                \
        va_end(rest);                                                                                                                      \
        if (path_fails(opening(flags), #name, folder, path) && plan.error) return -1;                                                      \
        return REAL(name) arguments;                                                                                                       \
    }

OPEN_PATH(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPEN_PATH(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPEN_PATH(openat, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode))
OPEN_PATH(openat64, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode))

/* Of two paths the second one counts: it is the one that is made. */
#define ON_PATH(kind, name, parameters, folder, arguments)                                                                                 \
    int name parameters {                                                                                                                  \
        if (path_fails(kind, #name, folder, path) && plan.error) return -1;                                                                \
        return REAL(name) arguments;                                                                                                       \
    }

ON_PATH(RENAME, rename, (const char *from, const char *path), AT_FDCWD, (from, path))
ON_PATH(RENAME, renameat, (int old, const char *from, int folder, const char *path), folder, (old, from, folder, path))
ON_PATH(RENAME, renameat2, (int old, const char *from, int folder, const char *path, unsigned flags), folder,
        (old, from, folder, path, flags))
ON_PATH(LINK, link, (const char *from, const char *path), AT_FDCWD, (from, path))
ON_PATH(LINK, linkat, (int old, const char *from, int folder, const char *path, int flags), folder, (old, from, folder, path, flags))
ON_PATH(LINK, symlink, (const char *from, const char *path), AT_FDCWD, (from, path))
ON_PATH(LINK, symlinkat, (const char *from, int folder, const char *path), folder, (from, folder, path))
ON_PATH(UNLINK, unlink, (const char *path), AT_FDCWD, (path))
ON_PATH(UNLINK, unlinkat, (int folder, const char *path, int flags), folder, (folder, path, flags))
ON_PATH(UNLINK, rmdir, (const char *path), AT_FDCWD, (path))
ON_PATH(TRUNCATE, truncate, (const char *path, off_t length), AT_FDCWD, (path, length))
ON_PATH(FOLDER, mkdir, (const char *path, mode_t mode), AT_FDCWD, (path, mode))
ON_PATH(FOLDER, mkdirat, (int folder, const char *path, mode_t mode), folder, (folder, path, mode))

/* The renaming that a C library may have no function for. */
long syscall(long number, ...) {
    long words[6];
    va_list rest;
    va_start(rest, number);
    for (int index = 0; index < 6; index++) words[index] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_renameat2 && path_fails(RENAME, "renameat2", (int)words[2], (const char *)words[3]) && plan.error) return -1;
    return REAL(syscall)(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
