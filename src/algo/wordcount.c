/* Counting words: pieces of files are the tasks of a loop, whatever files they
 * are of; what has no size is read afterwards, by the caller. */
#include <tutti/wordcount.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "algo/wordask.h"
#include "algo/wordfiles.h"
#include "algo/wordscan.h"
#include "core/clock.h"
#include "core/status.h"

#define PIECE ((uint64_t)4 << 20) /* bytes of a piece, and of a task */
#define OPENING (32u << 10) /* bytes that could be read while one is opened */

struct tutti_wordcount {
    struct tt_wordfiles files;
    struct tt_wordtable table;
    tutti_wordcount_entry *top;
    size_t top_n;
    uint64_t total;
};

/* A piece of a file. */
struct part {
    struct tt_wordfile *file;
    uint64_t begin, end;
};

/* A count that is under way. */
struct job {
    struct tutti_wordcount *result;
    struct tt_needle needle;
    unsigned char *word; /* the needle's */
    struct tt_wordaim aim;
    struct part *parts;
    size_t *tasks; /* task i is the parts from tasks[i] to tasks[i + 1] */
    size_t parts_n, tasks_n;
    _Atomic bool starved;      /* there was no memory for a task */
    pthread_mutex_t lock;      /* guards: */
    struct tt_wordscan *scans; /* those that nobody uses */
};

static tutti_status check(const tutti_wordcount_query *query)
{
    const char *word = query ? query->word : NULL;
    if (!query || query->size != sizeof *query)
        return tt_fail(TUTTI_EARG, "tutti_wordcount_run: no query of this "
                                   "library's size: start from "
                                   "TUTTI_WORDCOUNT_QUERY_INIT");
    if (!word)
        return TUTTI_OK;
    if (query->top)
        return tt_fail(TUTTI_EARG,
                       "the word '%.80s' and the most frequent "
                       "words: ask for one of them",
                       word);
    size_t n = strlen(word), punctuation = 0;
    for (size_t i = 0; i < n; i++) {
        punctuation += tt_words_punct((unsigned char)word[i]);
        if (tt_words_space((unsigned char)word[i]))
            return tt_fail(TUTTI_EARG,
                           "'%.80s' has space in it: expected one "
                           "word",
                           word);
    }
    if (n == 0 || n > TT_WORDS_LONGEST)
        return tt_fail(TUTTI_EARG, "a word of %zu bytes: expected 1 to %zu", n,
                       TT_WORDS_LONGEST);
    if (punctuation == n)
        return tt_fail(TUTTI_EARG,
                       "'%.80s' is punctuation: expected a word "
                       "with another byte in it",
                       word);
    return TUTTI_OK;
}

static tutti_status aim(struct job *job, const tutti_wordcount_query *query)
{
    struct tt_needle *needle = &job->needle;
    job->aim = (struct tt_wordaim){NULL, query->top > 0, query->fold};
    if (!query->word)
        return TUTTI_OK;
    size_t n = strlen(query->word), end = n;
    job->word = malloc(n);
    if (!job->word)
        return tt_fail_memory("a copy of the word");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)query->word[i];
        job->word[i] = query->fold ? tt_words_fold(c) : c;
    }
    while (tt_words_punct(job->word[needle->lead]))
        needle->lead++;
    while (tt_words_punct(job->word[end - 1]))
        end--;
    needle->word = job->word;
    needle->core = end - needle->lead;
    needle->trail = n - end;
    needle->fold = query->fold;
    job->aim.needle = needle;
    return TUTTI_OK;
}

struct source {
    int fd;
    struct tt_wordask ask; /* of a stream: whether to go on */
    uint64_t got;          /* bytes of it */
};

static int64_t read_at(void *source, void *to, size_t size, uint64_t at)
{
    const struct source *s = source;
    size_t got = 0;
    while (got < size) {
        ssize_t n =
            pread(s->fd, (char *)to + got, size - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (int64_t)got;
}

static int64_t read_on(void *source, void *to, size_t size, uint64_t at)
{
    struct source *s = source;
    size_t got = 0;
    (void)at;
    while (got < size) {
        struct pollfd ready = {s->fd, POLLIN, 0};
        int one = poll(&ready, 1, TT_WORDASK_MS);
        if (one < 1 ? !tt_wordask_now(&s->ask) : !tt_wordask_soon(&s->ask))
            return -1;
        if (one < 1)
            continue;
        ssize_t n = read(s->fd, (char *)to + got, size - got);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
        if (n == 0)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    s->got += got;
    return (int64_t)got;
}

static struct tt_wordscan *borrow(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    struct tt_wordscan *scan = job->scans;
    if (scan)
        job->scans = scan->next;
    pthread_mutex_unlock(&job->lock);
    return scan ? scan : tt_wordscan_new(job->aim.tally);
}

static void give_back(struct job *job, struct tt_wordscan *scan)
{
    pthread_mutex_lock(&job->lock);
    scan->next = job->scans;
    job->scans = scan;
    pthread_mutex_unlock(&job->lock);
}

/* Notes how the piece of a file ended. False: no memory. */
static bool note(struct tt_wordfile *file, enum tt_wordscan_end how, int error)
{
    if (how == TT_WORDSCAN_SHORT)
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_SHRANK, 0);
    else if (how == TT_WORDSCAN_BINARY)
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_BINARY, 0);
    else if (how == TT_WORDSCAN_FAILED)
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_FAILED, error);
    return how != TT_WORDSCAN_MEMORY;
}

/* `more`: O_NONBLOCK for what was a plain file and may be a pipe by now. */
static int open_file(const struct tt_wordfile *file, int more)
{
    return open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | more);
}

/* False: no memory. */
static bool count_part(struct job *job, struct tt_wordscan *scan,
                       const struct part *part)
{
    struct tt_wordfile *file = part->file;
    struct source source = {.fd = open_file(file, O_NONBLOCK)};
    struct stat st;
    uint64_t count = 0;
    if (source.fd < 0)
        return note(file, TT_WORDSCAN_FAILED, errno);
    enum tt_wordscan_end how = tt_wordscan_piece(
        scan, &job->aim, read_at, &source, part->begin, part->end, &count);
    int error = errno;
    if (how == TT_WORDSCAN_DONE && part->end == file->size &&
        !fstat(source.fd, &st) && (uint64_t)st.st_size > file->size)
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_GREW, 0);
    close(source.fd);
    atomic_fetch_add(&file->count, count);
    return note(file, how, error);
}

static size_t count_tasks(void *context, size_t begin, size_t end,
                          unsigned worker)
{
    struct job *job = context;
    struct tt_wordscan *scan = borrow(job);
    bool fits = scan != NULL;
    (void)worker;
    for (; fits && begin < end; begin += fits)
        for (size_t i = job->tasks[begin]; fits && i < job->tasks[begin + 1];
             i++)
            fits = count_part(job, scan, &job->parts[i]);
    if (!fits)
        job->starved = true;
    if (scan)
        give_back(job, scan);
    return begin;
}

/* A pipe waits in open() until somebody writes; a signal ends the waiting. */
static bool open_stream(struct source *s, const struct tt_wordfile *file)
{
    if (!strcmp(file->path, "-"))
        s->fd = STDIN_FILENO;
    else
        while ((s->fd = open_file(file, 0)) < 0 && errno == EINTR &&
               tt_wordask_now(&s->ask))
            ;
    return s->fd >= 0;
}

static tutti_status count_stream(struct job *job, struct tt_wordscan *scan,
                                 struct tt_wordfile *file,
                                 const tutti_options *options)
{
    struct source source = {.ask = {options, tt_clock(), false}};
    enum tt_wordscan_end how = TT_WORDSCAN_FAILED;
    uint64_t count = 0;
    if (open_stream(&source, file))
        how = tt_wordscan_piece(scan, &job->aim, read_on, &source, 0,
                                UINT64_MAX, &count);
    int error = errno;
    if (source.fd > STDIN_FILENO)
        close(source.fd);
    if (source.ask.refused)
        return tt_fail(TUTTI_ECANCEL, "cancelled while %s was read",
                       file->path);
    file->count = count;
    if (how == TT_WORDSCAN_DONE && source.got == 0)
        tt_wordfiles_note(file, TUTTI_WORDCOUNT_EMPTY, 0);
    return note(file, how, error) ? TUTTI_OK : tt_fail_memory("the words");
}

static tutti_status count_streams(struct job *job, const tutti_options *options)
{
    struct tt_wordfiles *files = &job->result->files;
    tutti_status status = TUTTI_OK;
    struct tt_wordscan *scan = borrow(job);
    if (!scan)
        return tt_fail_memory("a buffer");
    for (size_t i = 0; !status && i < files->n; i++)
        if (files->files[i].stream && tt_wordfiles_counts(&files->files[i]))
            status = count_stream(job, scan, &files->files[i], options);
    give_back(job, scan);
    return status;
}

/* A file of one piece is looked at when that is read. */
static bool is_binary(const struct tt_wordfile *file)
{
    char start[8192];
    struct source source = {.fd = open_file(file, O_NONBLOCK)};
    int64_t got = source.fd < 0 ? 0 : read_at(&source, start, sizeof start, 0);
    if (source.fd >= 0)
        close(source.fd);
    return got > 0 && memchr(start, 0, (size_t)got);
}

/* Bytes of a file that are read in pieces. */
static uint64_t size_of(const struct tt_wordfile *file)
{
    return file->stream || !tt_wordfiles_counts(file) ? 0 : file->size;
}

/* Cuts all files into pieces, and gathers pieces into tasks. */
static tutti_status plan(struct job *job)
{
    struct tt_wordfiles *files = &job->result->files;
    size_t n = 0;
    for (size_t i = 0; i < files->n; i++) {
        struct tt_wordfile *file = &files->files[i];
        if (size_of(file) > PIECE && is_binary(file))
            tt_wordfiles_note(file, TUTTI_WORDCOUNT_BINARY, 0);
        n += (size_t)(size_of(file) / PIECE) + 1;
    }
    job->parts = malloc(n * sizeof *job->parts);
    job->tasks = malloc((n + 1) * sizeof *job->tasks);
    if (!job->parts || !job->tasks)
        return tt_fail_memory("the pieces of the files");
    uint64_t gathered = PIECE;
    for (size_t i = 0; i < files->n; i++) {
        struct tt_wordfile *file = &files->files[i];
        uint64_t size = size_of(file);
        for (uint64_t at = 0, end; at < size; at = end) {
            end = size - at > PIECE ? at + PIECE : size;
            if (gathered + (end - at) > PIECE) {
                job->tasks[job->tasks_n++] = job->parts_n;
                gathered = 0;
            }
            gathered += end - at + OPENING;
            job->parts[job->parts_n++] = (struct part){file, at, end};
        }
    }
    job->tasks[job->tasks_n] = job->parts_n;
    return TUTTI_OK;
}

static tutti_status run(struct job *job, const tutti_options *options)
{
    tutti_loop loop = {.n = job->tasks_n, .body = count_tasks, .context = job};
    tutti_status status = tutti_loop_run(&loop, options);
    if (!status)
        status = count_streams(job, options);
    if (job->starved)
        return tt_fail_memory("the words");
    return status;
}

/* What all workers found, as one. */
static tutti_status gather(struct job *job, size_t top)
{
    struct tutti_wordcount *result = job->result;
    for (size_t i = 0; i < result->files.n; i++)
        result->total += result->files.files[i].count;
    bool fits = true;
    for (struct tt_wordscan *scan = job->scans; fits && top && scan;
         scan = scan->next)
        fits = tt_wordtable_merge(&result->table, &scan->table);
    if (fits && top)
        fits =
            tt_wordtable_top(&result->table, top, &result->top, &result->top_n);
    return fits ? tt_wordfiles_tell(&result->files)
                : tt_fail_memory("the words");
}

static void end(struct job *job)
{
    while (job->scans) {
        struct tt_wordscan *next = job->scans->next;
        tt_wordscan_free(job->scans);
        job->scans = next;
    }
    free(job->tasks);
    free(job->parts);
    free(job->word);
    pthread_mutex_destroy(&job->lock);
}

tutti_status tutti_wordcount_run(tutti_wordcount **out,
                                 const tutti_wordcount_query *query,
                                 const char *const *paths, size_t n,
                                 const tutti_options *options)
{
    struct job job = {.lock = PTHREAD_MUTEX_INITIALIZER};
    tutti_status status = check(query);
    if (status)
        return status;
    if (!out || !paths || n == 0)
        return tt_fail(TUTTI_EARG, "no file to count words in: expected one or "
                                   "more; - is standard input");
    job.result = calloc(1, sizeof *job.result);
    if (!job.result)
        return tt_fail_memory("a count of words");
    status = aim(&job, query);
    if (!status)
        status = tt_wordfiles_find(&job.result->files, paths, n,
                                   query->recursive, options);
    if (!status)
        status = plan(&job);
    if (!status)
        status = run(&job, options);
    if (!status)
        status = gather(&job, query->top);
    end(&job);
    if (status)
        tutti_wordcount_free(job.result);
    else
        *out = job.result;
    return status;
}

uint64_t tutti_wordcount_total(const tutti_wordcount *count)
{
    return count->total;
}

bool tutti_wordcount_file_at(const tutti_wordcount *count, size_t i,
                             tutti_wordcount_file *file)
{
    if (i >= count->files.n)
        return false;
    const struct tt_wordfile *from = &count->files.files[i];
    *file = (tutti_wordcount_file){
        .path = from->path,
        .count = from->count,
        .state = (tutti_wordcount_state)from->state,
        .error = from->error,
        .found = from->found,
        .trouble = from->trouble,
    };
    return true;
}

bool tutti_wordcount_top_at(const tutti_wordcount *count, size_t i,
                            tutti_wordcount_entry *entry)
{
    if (i >= count->top_n)
        return false;
    *entry = count->top[i];
    return true;
}

void tutti_wordcount_free(tutti_wordcount *count)
{
    if (!count)
        return;
    tt_wordfiles_fini(&count->files);
    tt_wordtable_fini(&count->table);
    free(count->top);
    free(count);
}
