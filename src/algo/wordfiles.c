#define _GNU_SOURCE
#include "algo/wordfiles.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/status.h"

static tutti_status fail_memory(void)
{
    return tt_fail_memory("the names of the files");
}

/* A file more, all zeros but its path; NULL: no memory. */
static struct tt_wordfile *add(struct tt_wordfiles *files, const char *path)
{
    if (files->n == files->room) {
        size_t room = files->room ? 2 * files->room : 16;
        struct tt_wordfile *more =
            realloc(files->files, room * sizeof *files->files);
        if (!more)
            return NULL;
        files->files = more;
        files->room = room;
    }
    char *copy = strdup(path);
    struct tt_wordfile *file = &files->files[files->n];
    if (!copy)
        return NULL;
    *file = (struct tt_wordfile){.path = copy};
    files->n++;
    return file;
}

/* A plain file below /proc says that it is empty, and is not. */
static void describe(struct tt_wordfile *file, const struct stat *st)
{
    file->size = (uint64_t)st->st_size;
    file->device = st->st_dev;
    file->inode = st->st_ino;
    file->stream = !S_ISREG(st->st_mode) || st->st_size == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_below(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static tutti_status walk(struct tt_wordfiles *files, const char *path);

/* What a directory has: plain files, and directories, are counted. */
static tutti_status visit(struct tt_wordfiles *files, const char *directory,
                          const struct dirent *entry)
{
    struct stat st;
    char *path;
    tutti_status status = TUTTI_OK;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_REG &&
        entry->d_type != DT_DIR)
        return TUTTI_OK;
    if (!tt_wordask_soon(&files->ask))
        return tt_fail(TUTTI_ECANCEL,
                       "cancelled while the files in %s were "
                       "listed",
                       directory);
    const char *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";
    if (asprintf(&path, "%s%s%s", directory, slash, entry->d_name) < 0)
        return fail_memory();
    int error = lstat(path, &st) ? errno : 0;
    if (!error && S_ISDIR(st.st_mode)) {
        status = walk(files, path);
    } else if (error || S_ISREG(st.st_mode)) {
        struct tt_wordfile *file = add(files, path);
        status = file ? TUTTI_OK : fail_memory();
        if (file)
            file->found = true;
        if (file && error)
            tt_wordfiles_note(file, TUTTI_WORDCOUNT_FAILED, error);
        else if (file)
            describe(file, &st);
    }
    free(path);
    return status;
}

static tutti_status walk(struct tt_wordfiles *files, const char *path)
{
    struct dirent **entries;
    tutti_status status = TUTTI_OK;
    int n = scandir(path, &entries, is_below, by_name);
    if (n < 0) {
        int error = errno;
        struct tt_wordfile *file = error == ENOMEM ? NULL : add(files, path);
        if (!file)
            return fail_memory();
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_FAILED, error);
        return TUTTI_OK;
    }
    for (int i = 0; i < n; i++) {
        if (!status)
            status = visit(files, path, entries[i]);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static tutti_status add_given(struct tt_wordfiles *files, const char *path,
                              bool recursive)
{
    struct stat st;
    bool input = !strcmp(path, "-");
    int error =
        (input ? fstat(STDIN_FILENO, &st) : stat(path, &st)) ? errno : 0;
    if (!error && S_ISDIR(st.st_mode) && recursive && !input)
        return walk(files, path);
    struct tt_wordfile *file = add(files, path);
    if (!file)
        return fail_memory();
    if (error) {
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_FAILED, error);
        return TUTTI_OK;
    }
    describe(file, &st);
    file->stream |= input; /* it may not begin at 0 */
    if (S_ISDIR(st.st_mode))
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_DIRECTORY, 0);
    return TUTTI_OK;
}

/* By what they are, then in their order. */
static int by_inode(const void *a, const void *b)
{
    const struct tt_wordfile *x = *(struct tt_wordfile *const *)a;
    const struct tt_wordfile *y = *(struct tt_wordfile *const *)b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return (x > y) - (x < y);
}

static tutti_status find_twice(struct tt_wordfiles *files)
{
    size_t n = 0;
    struct tt_wordfile **sorted = malloc((files->n + 1) * sizeof *sorted);
    if (!sorted)
        return fail_memory();
    for (size_t i = 0; i < files->n; i++)
        if (tt_wordfiles_counts(&files->files[i]))
            sorted[n++] = &files->files[i];
    qsort(sorted, n, sizeof *sorted, by_inode);
    for (size_t i = 1; i < n; i++)
        if (sorted[i]->device == sorted[i - 1]->device &&
            sorted[i]->inode == sorted[i - 1]->inode)
            tt_wordfiles_note(sorted[i], TUTTI_WORDCOUNT_TWICE, 0);
    free(sorted);
    return TUTTI_OK;
}

tutti_status tt_wordfiles_find(struct tt_wordfiles *out,
                               const char *const *paths, size_t n,
                               bool recursive, const tutti_options *options)
{
    tutti_status status = TUTTI_OK;
    out->ask.options = options;
    for (size_t i = 0; !status && i < n; i++)
        status = add_given(out, paths[i], recursive);
    return status ? status : find_twice(out);
}

void tt_wordfiles_fini(struct tt_wordfiles *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->files[i].path);
        free(files->files[i].trouble);
    }
    free(files->files);
}

void tt_wordfiles_note(struct tt_wordfile *file, tutti_wordcount_state state,
                       int error)
{
    int known = TUTTI_WORDCOUNT_WHOLE;
    if (atomic_compare_exchange_strong(&file->state, &known, (int)state))
        file->error = error;
}

bool tt_wordfiles_counts(const struct tt_wordfile *file)
{
    return file->state == TUTTI_WORDCOUNT_WHOLE;
}

/* The sentence of a file; NULL: no memory. */
static char *sentence(const struct tt_wordfile *file)
{
    static const char *const of[] = {
        [TUTTI_WORDCOUNT_EMPTY] = "is empty",
        [TUTTI_WORDCOUNT_GREW] =
            "grew while it was read: what was there at first is counted",
        [TUTTI_WORDCOUNT_SHRANK] =
            "ended before its size: what was there is counted",
        [TUTTI_WORDCOUNT_BINARY] =
            "is no text (a zero is in its first 8 KiB): it is not counted",
        [TUTTI_WORDCOUNT_TWICE] =
            "was given before, maybe by another name: it is counted once",
        [TUTTI_WORDCOUNT_DIRECTORY] =
            "is a directory: ask for recursive to count the files in it",
    };
    const char *path = strcmp(file->path, "-") ? file->path : "standard input";
    char *text;
    int length;
    if (file->state != TUTTI_WORDCOUNT_FAILED)
        length = asprintf(&text, "%s %s", path, of[file->state]);
    else if (file->error == ENOENT)
        length = asprintf(&text, "there is no file %s", path);
    else
        length = asprintf(&text, "%s cannot be read: %s", path,
                          strerror(file->error));
    return length < 0 ? NULL : text;
}

tutti_status tt_wordfiles_tell(struct tt_wordfiles *files)
{
    for (size_t i = 0; i < files->n; i++) {
        struct tt_wordfile *file = &files->files[i];
        if (file->state == TUTTI_WORDCOUNT_WHOLE)
            continue;
        file->trouble = sentence(file);
        if (!file->trouble)
            return fail_memory();
    }
    return TUTTI_OK;
}
