/* For-each over the index, with values and arrays. */
#include <stdlib.h>

#include "algo/travel.h"
#include "kernel/kernel.h"
#include "loop/run.h"

struct each {
    tt_kernel_each entry;
    tt_kernel_function function;
    const void *const *arguments;
};

static size_t run_body(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct each *each = context;
    bool stopped = false;
    (void)worker;
    for (size_t n; begin < end && !stopped; begin += n) {
        n = tt_run_slice() < end - begin ? tt_run_slice() : end - begin;
        each->entry(each->function, begin, begin + n, each->arguments);
        stopped = tt_run_past(n);
    }
    return begin;
}

static tutti_status check(const tutti_kernel *kernel, size_t n,
                          const void *const *arguments, size_t count,
                          const tutti_options *options)
{
    const struct tt_signature *s = &kernel->signature;
    if (!s->each)
        return tt_fail(TUTTI_EARG,
                       "%.300s is run for no index: void f(size_t i, ...) is",
                       s->text);
    if (count != s->parameters)
        return tt_fail(TUTTI_EARG, "%.300s: %zu arguments after i, %u expected",
                       s->text, count, s->parameters);
    for (size_t i = 0; i < count && n > 0; i++)
        if (arguments == NULL || arguments[i] == NULL)
            return tt_fail(TUTTI_EARG, "%.300s: argument %zu is NULL", s->text,
                           i + 1);
    if (n > 0 && tt_travel_needed(options))
        return tt_fail(TUTTI_EPLACE,
                       "%.300s writes to arrays of this process, which others "
                       "cannot: run it on serial, threads or auto",
                       s->text);
    return TUTTI_OK;
}

/* That of a function which is compiled already has to be made. */
static tutti_status find_entry(tt_kernel_each *out, tutti_kernel *kernel)
{
    char *extra;
    void *made;
    *out = kernel->each;
    if (kernel->each)
        return TUTTI_OK;
    tutti_status status = tt_wrapper_native(&extra, &kernel->signature);
    if (status != TUTTI_OK)
        return status;
    status = tt_kernel_build(kernel, extra, false, TT_WRAPPER_EACH, &made);
    free(extra);
    if (status == TUTTI_OK)
        *(void **)out = made;
    return status;
}

tutti_status tutti_kernel_for(tutti_kernel *kernel, size_t n,
                              const void *const *arguments, size_t count,
                              const tutti_options *options)
{
    struct each each = {NULL, kernel->function, arguments};
    tutti_status status = check(kernel, n, arguments, count, options);
    if (status == TUTTI_OK)
        status = find_entry(&each.entry, kernel);
    if (status != TUTTI_OK)
        return status;
    tutti_loop loop = {.n = n, .body = run_body, .context = &each};
    loop.key = *(const void *const *)(kernel->function
                                          ? (const void *)&kernel->function
                                          : (const void *)&each.entry);
    return tutti_loop_run(&loop, options);
}
