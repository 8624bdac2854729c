#include "kernel/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool tt_file_stamp(const char *path, struct tt_stamp *stamp)
{
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
        return false;
    stamp->size = s.st_size;
    stamp->time = (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec;
    return true;
}

/* read() until `size` bytes or the end; -1 with errno. */
static ssize_t read_all(int fd, char *to, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, to + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static tutti_status read_open(char **text, size_t *size, const char *path,
                              int fd)
{
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
        return tt_fail(TUTTI_EARG, "%s is not a file", path);
    if ((uint64_t)s.st_size > TT_FILE_MAX)
        return tt_fail(TUTTI_EARG, "%s has %lld bytes; at most %zu are read",
                       path, (long long)s.st_size, TT_FILE_MAX);
    char *data = malloc((size_t)s.st_size + 1);
    if (data == NULL)
        return tt_fail_memory(path);
    ssize_t got = read_all(fd, data, (size_t)s.st_size);
    if (got < 0) {
        free(data);
        return tt_fail(TUTTI_EARG, "cannot read %s: %s", path, strerror(errno));
    }
    data[got] = 0;
    *text = data;
    *size = (size_t)got;
    return TUTTI_OK;
}

tutti_status tt_file_read(char **text, size_t *size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return tt_fail(TUTTI_EARG, "cannot read %s: %s", path, strerror(errno));
    tutti_status status = read_open(text, size, path, fd);
    close(fd);
    return status;
}

bool tt_text_end(FILE *to, char **text)
{
    bool failed = ferror(to) != 0;
    if (fclose(to) == 0 && !failed && *text)
        return true;
    free(*text);
    *text = NULL;
    return false;
}

tutti_status tt_file_write(const char *path, const void *data, size_t size)
{
    const char *from = data;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : 0;
    while (error == 0 && size > 0) {
        ssize_t put = write(fd, from, size);
        if (put > 0) {
            from += put;
            size -= (size_t)put;
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    if (fd >= 0 && close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0)
        return TUTTI_OK;
    return tt_fail(TUTTI_ESYS,
                   "cannot write %s: %s; make room there, or name another "
                   "folder in XDG_CACHE_HOME",
                   path, strerror(error));
}

bool tt_file_hash(const char *path, char hex[TT_SHA256_HEX])
{
    struct tt_sha256 hash;
    char block[16384];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    tt_sha256_init(&hash);
    while ((got = read_all(fd, block, sizeof block)) > 0)
        tt_sha256_add(&hash, block, (size_t)got);
    close(fd);
    tt_sha256_hex(&hash, hex);
    return got == 0;
}
