#include "kernel/build.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tutti/version.h>

#include "core/load.h"
#include "kernel/cache.h"
#include "kernel/compiler.h"
#include "kernel/file.h"

#define COMPILE_SECONDS 60

/* The options that come after the compiler's words. Numbers are those of plain
 * C: no contraction, no reordering. Errors of the linker must show here, not
 * when the object is loaded; and a function without a declaration would be
 * taken to give an int. */
static const char *const flags[] = {
    "-std=gnu17",
    "-O3",
#if defined(__aarch64__)
    "-mcpu=native",
#else
    "-march=native",
#endif
    "-ffp-contract=off",
    "-fPIC",
    "-fvisibility=hidden",
    "-shared",
    "-Werror=implicit-function-declaration",
    "-fno-diagnostics-color",
    "-fno-diagnostics-show-option",
    "-s",
    "-Wl,-z,defs",
};
#define FLAGS (sizeof flags / sizeof *flags)

/* gcc makes vectors of what is around a loop of constant length only if it
 * unrolls that first; clang ignores this, and does. */
static const char *const unroll[] = {
    "--param=max-completely-peel-times=128",
    "--param=max-completely-peeled-insns=4000",
};
#define UNROLL (sizeof unroll / sizeof *unroll)

/* What is compiled, and with what. */
struct job {
    struct tt_compiler compiler;
    struct tt_cache cache;
    char include[PATH_MAX]; /* the folder of headers in quotes, or empty */
    const char *math;       /* see math_flag() */
    bool unrolls;
    char *text;
    size_t size;
    char key[TT_SHA256_HEX];
};

/* That sqrt() and its like set errno keeps a compiler from vectorising them;
 * a source that does not speak of errno cannot tell. */
static const char *math_flag(const char *source)
{
    return strstr(source, "errno") ? "-fmath-errno" : "-fno-math-errno";
}

/* A text without a quote includes nothing from any folder of the user's. */
static tutti_status find_folder(char folder[PATH_MAX],
                                const struct tt_source *source)
{
    char real[PATH_MAX];
    folder[0] = 0;
    if (strchr(source->text, '"') == NULL)
        return TUTTI_OK;
    const char *path = source->file ? source->path : ".";
    if (realpath(path, real) == NULL)
        return tt_fail(TUTTI_EARG, "cannot read %s: %s", path, strerror(errno));
    char *slash = strrchr(real, '/');
    if (source->file)
        slash[slash == real] = 0;
    strcpy(folder, real);
    return TUTTI_OK;
}

/* The names that signatures are written with need no header; <stdint.h> and
 * <stddef.h> say the same once more. */
static const char prelude[] = "typedef __SIZE_TYPE__ size_t;"
                              "typedef __INT32_TYPE__ int32_t;"
                              "typedef __INT64_TYPE__ int64_t;"
                              "typedef __UINT32_TYPE__ uint32_t;"
                              "typedef __UINT64_TYPE__ uint64_t;\n";

/* What follows a source is C again, whatever the source made of its words. */
static const char *const keywords[] = {
    "char", "const",  "double", "float",    "for",  "int",
    "long", "return", "signed", "unsigned", "void",
};

static void put_line(FILE *to, size_t line, const char *path)
{
    fprintf(to, "#line %zu \"", line);
    for (; *path; path++) {
        if (*path == '"' || *path == '\\')
            fputc('\\', to);
        fputc(*path == '\n' ? '?' : *path, to);
    }
    fputs("\"\n", to);
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    while ((text = strchr(text, '\n')) && *++text)
        lines++;
    return lines;
}

/* The user's text as it is, its lines numbered as he sees them, and the rest.
 * What is missed at the end of all is missing at the end of the user's. */
static tutti_status join(struct job *job, const struct tt_source *source,
                         const char *extra)
{
    FILE *to = open_memstream(&job->text, &job->size);
    if (to == NULL)
        return tt_fail_memory("a kernel's text");
    fputs(prelude, to);
    put_line(to, 1, source->path);
    fputs(source->text, to);
    fputs("\n", to);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        fprintf(to, "#undef %s\n", keywords[i]);
    fputs(extra, to);
    put_line(to, count_lines(source->text), source->path);
    return tt_text_end(to, &job->text) ? TUTTI_OK
                                       : tt_fail_memory("a kernel's text");
}

/* Each part is preceded by its size, so that no two lists of parts hash to the
 * same bytes. */
static void add(struct tt_sha256 *hash, const char *data, size_t size)
{
    uint64_t bytes = size;
    tt_sha256_add(hash, &bytes, sizeof bytes);
    tt_sha256_add(hash, data, size);
}

static void make_key(struct job *job)
{
    struct tt_sha256 hash;
    tt_sha256_init(&hash);
    add(&hash, TUTTI_VERSION, strlen(TUTTI_VERSION));
    for (size_t i = 0; i < FLAGS; i++)
        add(&hash, flags[i], strlen(flags[i]));
    for (size_t i = 0; job->unrolls && i < UNROLL; i++)
        add(&hash, unroll[i], strlen(unroll[i]));
    add(&hash, job->math, strlen(job->math));
    add(&hash, job->include, strlen(job->include));
    add(&hash, job->text, job->size);
    tt_compiler_identify(&job->compiler, &hash);
    tt_sha256_hex(&hash, job->key);
}

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* The line of a compiler's output that says what is wrong: one on the user's
 * text comes before what follows from it behind. */
static const char *find_error(char *output)
{
    char *rest = NULL, *first = NULL, *behind = NULL;
    for (char *line = strtok_r(output, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *linked = strstr(line, "undefined reference");
        linked = linked ? linked : strstr(line, "multiple definition");
        if (linked != NULL)
            return linked; /* before it, where it is in the object */
        if (strstr(line, "rror: ") && begins(line, "the call of "))
            behind = behind ? behind : line;
        else if (strstr(line, "rror: ") && !begins(line, "collect2: "))
            return line;
        if (first == NULL)
            first = line;
    }
    return behind ? behind : first ? first : "it said nothing";
}

static tutti_status explain(const struct job *job, struct tt_outcome *outcome)
{
    const char *program = job->compiler.words[0];
    if (outcome->cancelled)
        return tt_fail(TUTTI_ECANCEL,
                       "cancelled while the C compiler '%.100s' ran", program);
    if (outcome->killed)
        return tt_fail(TUTTI_ESYS,
                       "the C compiler '%.100s' was stopped: not done after %d "
                       "seconds",
                       program, COMPILE_SECONDS);
    if (strstr(outcome->output, strerror(ENOSPC)))
        return tt_fail(TUTTI_ESYS,
                       "no room to compile in %.250s: %s; make room there, or "
                       "name another folder in XDG_CACHE_HOME",
                       job->cache.folder, strerror(ENOSPC));
    const char *error = find_error(outcome->output);
    return tt_fail(TUTTI_EARG, "%.380s%s (%.60s)", error,
                   strstr(error, "implicit") ? "; is an #include missing?" : "",
                   program);
}

static tutti_status compile(const struct job *job, const char *folder)
{
    char source[PATH_MAX], object[PATH_MAX], depend[PATH_MAX];
    char *words[TT_COMPILER_WORDS + FLAGS + UNROLL + 16];
    struct tt_outcome *outcome = malloc(sizeof *outcome);
    size_t n = 0;
    if (outcome == NULL)
        return tt_fail_memory("the compiler's messages");
    snprintf(source, sizeof source, "%s/kernel.c", folder);
    snprintf(object, sizeof object, "%s/kernel.so", folder);
    snprintf(depend, sizeof depend, "%s/kernel.d", folder);
    for (char *const *word = job->compiler.words; *word; word++)
        words[n++] = *word;
    for (size_t i = 0; i < FLAGS; i++)
        words[n++] = (char *)flags[i];
    for (size_t i = 0; job->unrolls && i < UNROLL; i++)
        words[n++] = (char *)unroll[i];
    if (*job->include) {
        words[n++] = "-iquote";
        words[n++] = (char *)job->include;
    }
    char *last[] = {(char *)job->math,
                    "-MD",
                    "-MT",
                    "kernel",
                    "-MF",
                    depend,
                    "-o",
                    object,
                    source,
                    "-lm",
                    NULL};
    memcpy(words + n, last, sizeof last);
    tutti_status status = tt_file_write(source, job->text, job->size);
    if (status == TUTTI_OK)
        status = tt_compiler_run(outcome, words, folder, COMPILE_SECONDS);
    if (status == TUTTI_OK && (!outcome->done || access(object, R_OK) != 0))
        status = explain(job, outcome);
    free(outcome);
    return status;
}

static tutti_status load(void **library, const char *path)
{
    tutti_status status = tt_load_begin();
    if (status != TUTTI_OK)
        return status;
    void *opened = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (opened == NULL)
        status =
            tt_fail(TUTTI_ESYS, "cannot load a compiled kernel: %s", dlerror());
    else
        *library = opened;
    tt_load_end();
    return status;
}

static tutti_status build(void **library, const struct job *job)
{
    char folder[TT_BUILD_ROOM], path[PATH_MAX];
    struct timespec now;
    tutti_status status = tt_cache_begin(&job->cache, folder);
    if (status != TUTTI_OK)
        return status;
    /* The clock that files are stamped by. */
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    int64_t began = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    status = compile(job, folder);
    if (status == TUTTI_OK)
        status = tt_cache_keep(&job->cache, job->key, folder, began, path);
    if (status == TUTTI_OK)
        status = load(library, path);
    tt_cache_end(folder);
    return status;
}

tutti_status tt_build_load(void **library, const struct tt_source *source,
                           const char *extra, bool unrolls)
{
    struct job job = {.math = math_flag(source->text), .unrolls = unrolls};
    char object[PATH_MAX];
    tutti_status status = tt_compiler_find(&job.compiler);
    if (status == TUTTI_OK)
        status = tt_cache_find(&job.cache);
    if (status == TUTTI_OK)
        status = find_folder(job.include, source);
    if (status == TUTTI_OK)
        status = join(&job, source, extra);
    if (status != TUTTI_OK)
        return status;
    make_key(&job);
    if (!tt_cache_look(&job.cache, job.key, object) ||
        load(library, object) != TUTTI_OK) {
        tt_compiler_watch(TUTTI_COMPILER_STARTS);
        status = build(library, &job);
        tt_compiler_watch(TUTTI_COMPILER_ENDED);
    }
    free(job.text);
    return status;
}
