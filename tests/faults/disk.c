/* A disk with faults, for the tests: loaded before the C library (LD_PRELOAD), it stands between a process and all
 * files below one folder. disk_fault() says which fault it has; children inherit it.
 *
 * What a library calls inside of the C library itself (fwrite's own write) is not seen; Python, torch's archives and
 * safetensors call open, read and write by name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SOUND, FULL, READ_ONLY, SHORT };
static int fault = SOUND;
static long room;     /* bytes that may still be written; of FULL */
static unsigned luck; /* of SHORT */
static char folder[PATH_MAX];
static size_t folder_length;

void disk_fault(int which, const char *below, long bytes, unsigned seed) {
    snprintf(folder, sizeof folder, "%s", below);
    folder_length = strlen(folder);
    room = bytes;
    luck = seed;
    fault = which;
}

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int is_below(const char *path) {
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

static int fd_is_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return is_below(path);
}

/* Is a name, relative to the folder that fd has open, on this disk? */
static int at_is_below(int fd, const char *path) {
    char whole[2 * PATH_MAX], from[PATH_MAX] = "", link[64];
    if (path[0] == '/') return is_below(path);
    if (fd == AT_FDCWD) {
        if (getcwd(from, sizeof from) == NULL) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, from, sizeof from - 1);
        if (n < 0) return 0;
        from[n] = 0;
    }
    snprintf(whole, sizeof whole, "%s/%s", from, path);
    return is_below(whole);
}

static int refused(int on_this_disk) {
    if (!on_this_disk) return 0;
    if (fault == READ_ONLY) return errno = EROFS, 1;
    if (fault == FULL && room <= 0) return errno = ENOSPC, 1;
    return 0;
}

static int is_read_only(int on_this_disk) {
    if (fault != READ_ONLY || !on_this_disk) return 0;
    return errno = EROFS, 1;
}

#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
static int may_not_open(int at, const char *path, int flags) {
    if (fault == SOUND || fault == SHORT || !(flags & WRITES) || !at_is_below(at, path)) return 0;
    /* A full disk has no room for a new file, but lets one be opened that is there. */
    if (fault == FULL && (!(flags & O_CREAT) || faccessat(at, path, F_OK, 0) == 0)) return 0;
    return refused(1);
}

#define OPEN(name)                                                          \
    int name(const char *path, int flags, ...) {                           \
        va_list rest;                                                      \
        va_start(rest, flags);                                             \
        mode_t mode = va_arg(rest, mode_t);                                \
        va_end(rest);                                                      \
        if (may_not_open(AT_FDCWD, path, flags)) return -1;                \
        return REAL(name)(path, flags, mode);                              \
    }
OPEN(open)
OPEN(open64)
#define OPENAT(name)                                                        \
    int name(int at, const char *path, int flags, ...) {                   \
        va_list rest;                                                      \
        va_start(rest, flags);                                             \
        mode_t mode = va_arg(rest, mode_t);                                \
        va_end(rest);                                                      \
        if (may_not_open(at, path, flags)) return -1;                      \
        return REAL(name)(at, path, flags, mode);                          \
    }
OPENAT(openat)
OPENAT(openat64)
#define FOPEN(name)                                                         \
    FILE *name(const char *path, const char *mode) {                       \
        int flags = strpbrk(mode, "wa+") ? O_RDWR | O_CREAT : O_RDONLY;    \
        if (may_not_open(AT_FDCWD, path, flags)) return NULL;              \
        return REAL(name)(path, mode);                                     \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* How many of n bytes find room; -1 with errno if none does. */
static ssize_t room_for(int fd, size_t n) {
    if (fault != FULL || n == 0 || !fd_is_below(fd)) return (ssize_t)n;
    if (room <= 0) return errno = ENOSPC, -1;
    if ((long)n > room) n = (size_t)room;
    room -= (long)n;
    return (ssize_t)n;
}

ssize_t write(int fd, const void *bytes, size_t n) {
    ssize_t fit = room_for(fd, n);
    return fit < 0 ? -1 : REAL(write)(fd, bytes, (size_t)fit);
}
#define PWRITE(name)                                                        \
    ssize_t name(int fd, const void *bytes, size_t n, off_t at) {          \
        ssize_t fit = room_for(fd, n);                                     \
        return fit < 0 ? -1 : REAL(name)(fd, bytes, (size_t)fit, at);      \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (fault != FULL || !fd_is_below(fd)) return REAL(writev)(fd, parts, count);
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len > 0) return write(fd, parts[i].iov_base, parts[i].iov_len);
    return 0;
}
#define TRUNCATE(name)                                                      \
    int name(int fd, off_t length) {                                       \
        return is_read_only(fd_is_below(fd)) ? -1 : REAL(name)(fd, length); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

/* Between 1 and n bytes: as pipes, network file systems and interrupted calls give them. */
static size_t some_of(int fd, size_t n) {
    if (fault != SHORT || n <= 1 || !fd_is_below(fd)) return n;
    return 1 + (size_t)rand_r(&luck) % n;
}

ssize_t read(int fd, void *bytes, size_t n) { return REAL(read)(fd, bytes, some_of(fd, n)); }
#define PREAD(name)                                                         \
    ssize_t name(int fd, void *bytes, size_t n, off_t at) {                \
        return REAL(name)(fd, bytes, some_of(fd, n), at);                  \
    }
PREAD(pread)
PREAD(pread64)
ssize_t readv(int fd, const struct iovec *parts, int count) {
    if (fault != SHORT || count == 0 || !fd_is_below(fd)) return REAL(readv)(fd, parts, count);
    return read(fd, parts[0].iov_base, parts[0].iov_len);
}

int mkdir(const char *path, mode_t mode) {
    return refused(at_is_below(AT_FDCWD, path)) ? -1 : REAL(mkdir)(path, mode);
}
int mkdirat(int at, const char *path, mode_t mode) {
    return refused(at_is_below(at, path)) ? -1 : REAL(mkdirat)(at, path, mode);
}
int rename(const char *from, const char *to) {
    return is_read_only(at_is_below(AT_FDCWD, to)) ? -1 : REAL(rename)(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    return is_read_only(at_is_below(b, to)) ? -1 : REAL(renameat)(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return is_read_only(at_is_below(b, to)) ? -1 : REAL(renameat2)(a, from, b, to, flags);
}
int unlink(const char *path) { return is_read_only(at_is_below(AT_FDCWD, path)) ? -1 : REAL(unlink)(path); }
int unlinkat(int at, const char *path, int flags) {
    return is_read_only(at_is_below(at, path)) ? -1 : REAL(unlinkat)(at, path, flags);
}
int rmdir(const char *path) { return is_read_only(at_is_below(AT_FDCWD, path)) ? -1 : REAL(rmdir)(path); }
int access(const char *path, int mode) {
    return (mode & W_OK) && is_read_only(at_is_below(AT_FDCWD, path)) ? -1 : REAL(access)(path, mode);
}
