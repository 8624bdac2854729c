#define _GNU_SOURCE
#include "kernel/blas.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/load.h"
#include "kernel/builtin/isa.h"

/* Products of numbers from which on a library is opened for them. That takes
 * some 10 ms, as they do. */
#define OPEN 5e8

enum { BY_ROWS = 101, AS_IS = 111, TURNED = 112 }; /* of CBLAS */

static struct {
    void *f64, *f32;
    bool wide; /* its integers are of 64 bits */
    int (*threads)(void);
    void (*set_threads)(int);
    bool own; /* set_threads() speaks for the thread that calls it */
} blas;

/* Set once, by these: one that the process has loaded is for all products, one
 * that had to be opened for large ones alone, whatever came before. */
static pthread_once_t looked = PTHREAD_ONCE_INIT, tried = PTHREAD_ONCE_INIT;
static bool loaded, opened;

/* Guards what follows; a forked child begins with a new one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned holds;
static int before; /* threads, before the first hold */

/* Builds of OpenBLAS: the wheels of NumPy and SciPy put a prefix and a suffix
 * to all names. */
static const struct build {
    const char *prefix, *suffix;
} builds[] = {{"scipy_", "64_"}, {"", "64_"}, {"scipy_", ""}, {"", ""}};

static void *find(void *library, const struct build *build, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s%s", build->prefix, name, build->suffix);
    return dlsym(library, full);
}

/* The instruction set of an OpenBLAS's kernels: one that does not know this CPU
 * falls back to those of a very old one. */
static enum tt_isa isa_of(const char *core)
{
    static const struct {
        const char *core;
        enum tt_isa isa;
    } known[] = {{"SkylakeX", TT_ISA_AVX512},
                 {"Cooperlake", TT_ISA_AVX512},
                 {"SapphireRapids", TT_ISA_AVX512},
                 {"Haswell", TT_ISA_AVX2},
                 {"Zen", TT_ISA_AVX2}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(core, known[i].core))
            return known[i].isa;
    return TT_ISA_PLAIN;
}

/* dlsym() gives functions as objects. */
static void store(void *pointer, void *symbol)
{
    memcpy(pointer, &symbol, sizeof symbol);
}

static bool try_build(void *library, const struct build *build)
{
    char *(*core)(void), *(*config)(void);
    int (*parallel)(void);
    store(&core, find(library, build, "openblas_get_corename"));
    store(&config, find(library, build, "openblas_get_config"));
    store(&parallel, find(library, build, "openblas_get_parallel"));
    store(&blas.threads, find(library, build, "openblas_get_num_threads"));
    store(&blas.set_threads, find(library, build, "openblas_set_num_threads"));
    blas.f64 = find(library, build, "cblas_dgemm");
    blas.f32 = find(library, build, "cblas_sgemm");
    if (!core || !config || !parallel || !blas.threads || !blas.set_threads ||
        !blas.f64 || !blas.f32 || isa_of(core()) < tt_isa())
        return false;
    blas.wide = *build->suffix || strstr(config(), "USE64BITINT");
    if (parallel() != 2)
        return true;
    /* OpenMP's: each thread has a number of threads. */
    blas.own = true;
    store(&blas.threads, dlsym(library, "omp_get_max_threads"));
    store(&blas.set_threads, dlsym(library, "omp_set_num_threads"));
    return blas.threads && blas.set_threads;
}

static bool try_library(const char *path, int mode)
{
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL | mode);
    if (!library)
        return false;
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++)
        if (try_build(library, &builds[i]))
            return true; /* it stays open */
    memset(&blas, 0, sizeof blas);
    dlclose(library);
    return false;
}

struct names {
    char text[8][PATH_MAX];
    size_t n;
};

static int list_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct names *names = arg;
    (void)size;
    if (info->dlpi_name && strcasestr(info->dlpi_name, "openblas") &&
        strlen(info->dlpi_name) < PATH_MAX)
        strcpy(names->text[names->n++], info->dlpi_name);
    return names->n == sizeof names->text / sizeof *names->text;
}

static void forget_holds(void)
{
    pthread_mutex_init(&lock, NULL);
    holds = 0;
}

static bool guard_holds(void)
{
    return pthread_atfork(NULL, NULL, forget_holds) == 0;
}

static void look(void)
{
    struct names names = {.n = 0};
    if (tt_load_begin() != TUTTI_OK)
        return;
    dl_iterate_phdr(list_library, &names);
    for (size_t i = 0; i < names.n && !loaded; i++)
        loaded = try_library(names.text[i], RTLD_NOLOAD) && guard_holds();
    tt_load_end();
}

static void open_system(void)
{
    if (tt_load_begin() != TUTTI_OK)
        return;
    opened = try_library("libopenblas.so.0", 0) && guard_holds();
    tt_load_end();
}

bool tt_blas_found(double products)
{
    pthread_once(&looked, look);
    if (loaded || products < OPEN)
        return loaded;
    pthread_once(&tried, open_system);
    return opened;
}

static bool lies(ptrdiff_t near, ptrdiff_t far, size_t n, size_t lines,
                 size_t size)
{
    return (n == 1 || near == (ptrdiff_t)size) &&
           (lines == 1 ||
            (far > 0 && (size_t)far >= n * size && (size_t)far % size == 0 &&
             (size_t)far / size <= INT_MAX));
}

bool tt_blas_takes(const tutti_matrix *m, size_t size)
{
    return m->rows >= 1 && m->rows <= INT_MAX && m->columns >= 1 &&
           m->columns <= INT_MAX && (uintptr_t)m->data % size == 0 &&
           (lies(m->column_stride, m->row_stride, m->columns, m->rows, size) ||
            lies(m->row_stride, m->column_stride, m->rows, m->columns, size));
}

/* An operand as CBLAS wants it: how it lies, and the elements from one line to
 * the next. */
static int lie_of(const tutti_matrix *m, size_t size, int *step)
{
    bool rows =
        lies(m->column_stride, m->row_stride, m->columns, m->rows, size);
    ptrdiff_t far = rows ? m->row_stride : m->column_stride;
    size_t n = rows ? m->columns : m->rows, lines = rows ? m->rows : m->columns;
    *step = lines == 1 ? (int)n : (int)((size_t)far / size);
    return rows ? AS_IS : TURNED;
}

/* Integers of 64 bits, and of 32. */
#define CALL(integer, real, function) \
    ((void (*)(int, int, int, integer, integer, integer, real, const void *, \
               integer, const void *, integer, real, void *, integer))( \
        uintptr_t)(function))(BY_ROWS, lie_a, lie_b, (integer)c->rows, \
                              (integer)c->columns, (integer)a->columns, 1, \
                              a->data, step_a, b->data, step_b, 0, c->data, \
                              step_c)

static void call(tutti_type type, const tutti_matrix *c, const tutti_matrix *a,
                 const tutti_matrix *b)
{
    size_t size = tutti_type_size(type);
    int step_a, step_b, step_c;
    int lie_a = lie_of(a, size, &step_a), lie_b = lie_of(b, size, &step_b);
    step_c =
        c->rows == 1 ? (int)c->columns : (int)((size_t)c->row_stride / size);
    if (type == TUTTI_F64 && blas.wide)
        CALL(int64_t, double, blas.f64);
    else if (type == TUTTI_F64)
        CALL(int, double, blas.f64);
    else if (blas.wide)
        CALL(int64_t, float, blas.f32);
    else
        CALL(int, float, blas.f32);
}

static void hold(void)
{
    pthread_mutex_lock(&lock);
    if (holds++ == 0) {
        before = blas.threads();
        blas.set_threads(1);
    }
    pthread_mutex_unlock(&lock);
}

static void release(void)
{
    pthread_mutex_lock(&lock);
    if (--holds == 0)
        blas.set_threads(before);
    pthread_mutex_unlock(&lock);
}

void tt_blas_multiply(tutti_type type, const tutti_matrix *c,
                      const tutti_matrix *a, const tutti_matrix *b)
{
    if (blas.own) {
        int mine = blas.threads();
        blas.set_threads(1);
        call(type, c, a, b);
        blas.set_threads(mine);
        return;
    }
    hold();
    call(type, c, a, b);
    release();
}
