/* Makes reads of one file fail as a broken disk does (EIO), for tests: preloaded into a program (LD_PRELOAD).
 *
 * READ_FAULT_FILE: the end of the file's path; READ_FAULT_AT: the offset from which on reads fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int descriptor, off_t offset) {
    const char *file = getenv("READ_FAULT_FILE"), *at = getenv("READ_FAULT_AT");
    if (!file || !at || offset < atoll(at)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path);
    ssize_t end = (ssize_t)strlen(file);
    return length >= end && memcmp(path + length - end, file, (size_t)end) == 0;
}

ssize_t read(int descriptor, void *buffer, size_t count) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    off_t offset = lseek(descriptor, 0, SEEK_CUR);
    if (offset >= 0 && fails(descriptor, offset)) {
        errno = EIO;
        return -1;
    }
    return real(descriptor, buffer, count);
}

ssize_t pread(int descriptor, void *buffer, size_t count, off_t offset) {
    static ssize_t (*real)(int, void *, size_t, off_t);
    if (!real) real = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread");
    if (fails(descriptor, offset)) {
        errno = EIO;
        return -1;
    }
    return real(descriptor, buffer, count, offset);
}

ssize_t pread64(int descriptor, void *buffer, size_t count, off_t offset) { return pread(descriptor, buffer, count, offset); }
