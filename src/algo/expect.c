/* Monte Carlo: rounds of samples, until there are enough. */
#include <tutti/sys/expect.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algo/reduce.h"
#include "algo/sample.h"
#include "core/status.h"
#include "kernel/builtin/lattice.h"
#include "loop/run.h"

#define SAMPLES ((uint64_t)1 << 20)
#define SAMPLES_TO_ERROR ((uint64_t)1 << 40)
#define SAMPLES_MOST ((uint64_t)1 << 63)
#define ROUND_MOST ((uint64_t)1 << 30)
#define ROUND_FIRST ((uint64_t)1 << 16) /* towards a standard error */
#define SHIFTS 16
#define LATTICE_FIRST 6 /* log2 of the points, towards a standard error */
#define COORDINATES_MOST 4096
#define BLOCK_LEAST 512 /* samples */
#define BLOCK_MOST 4096
#define BLOCKS 256 /* at least, where that leaves BLOCK_LEAST */

/* An estimate under way. */
struct state {
    const tutti_expect_options *how;
    uint64_t samples; /* at most */
    unsigned log2;    /* of a lattice's points, or none */
    unsigned unit;    /* most samples of a block */
    uint64_t done;
    tutti_expect_part part; /* of all that is done */
};

static double error_of(const struct tt_moments *m)
{
    return m->weight > 1 ? sqrt(m->m2 / (m->weight - 1) / m->weight) : NAN;
}

static void estimate(tutti_expectation *out, const struct state *s)
{
    struct tt_part_moments p;
    bool plain = s->log2 == TT_SAMPLE_NO_LATTICE;
    memcpy(&p, &s->part, sizeof p);
    bool weighted = p.density.weight > 0;
    const struct tt_moments *f = weighted ? &p.f : &p.value;
    *out = (tutti_expectation){
        .value = p.value.mean,
        .standard_error = error_of(plain ? &p.value : &p.values),
        .variance = f->weight > 0 ? f->m2 / f->weight : 0,
        .samples = s->done,
        .density = weighted ? p.density.mean : 1,
        .density_error =
            weighted ? error_of(plain ? &p.density : &p.densities) : 0,
    };
}

/* The samples that the error asked for takes, as far as is known; rounds grow,
 * but not without measure. */
static uint64_t samples_wanted(const struct state *s)
{
    struct tt_part_moments p;
    memcpy(&p, &s->part, sizeof p);
    double target = s->how->standard_error;
    double more =
        p.value.m2 / p.value.weight / target / target * 1.02 - (double)s->done;
    double least = (double)s->done / 8, most = 8 * (double)s->done;
    more = more < least ? least : more > most ? most : more;
    return more < (double)ROUND_MOST ? (uint64_t)more : ROUND_MOST;
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
    return n % unit ? n + unit - n % unit : n;
}

/* The next round; count 0: there is none. */
static void plan(struct state *s, tutti_expect_round *round)
{
    bool plain = s->log2 == TT_SAMPLE_NO_LATTICE;
    bool searches = s->how->standard_error > 0;
    uint64_t count = ROUND_MOST;
    if (searches && plain)
        count = s->done ? round_up(samples_wanted(s), s->unit) : ROUND_FIRST;
    else if (searches)
        count = (uint64_t)SHIFTS << s->log2;
    uint64_t left = s->samples - s->done;
    if (!plain)
        left = left >> s->log2 << s->log2;
    uint64_t unit =
        plain || s->unit >> s->log2 == 0 ? s->unit : (uint64_t)1 << s->log2;
    *round = (tutti_expect_round){s->done, count < left ? count : left, unit,
                                  s->log2};
}

/* Whether the error is small enough. A lattice that is not is given up for one
 * of twice the points. */
static bool is_enough(struct state *s)
{
    tutti_expectation now;
    if (s->how->standard_error == 0)
        return false;
    estimate(&now, s);
    if (now.standard_error <= s->how->standard_error)
        return true;
    if (s->log2 != TT_SAMPLE_NO_LATTICE && s->log2 < TT_LATTICE_MOST &&
        s->samples >> (s->log2 + 1) >= SHIFTS) {
        s->log2++;
        s->done = 0;
        memset(&s->part, 0, sizeof s->part);
    }
    return false;
}

static tutti_status run(struct state *s, tutti_expect_runner runner, void *arg)
{
    tutti_expect_round round;
    tutti_expect_part part;
    for (plan(s, &round); round.count; plan(s, &round)) {
        tutti_status status = runner(arg, &part, &round);
        if (status)
            return status;
        tt_part_join(&s->part, &part, s->log2);
        s->done += round.count;
        if (is_enough(s))
            break;
    }
    return TUTTI_OK;
}

static tutti_status check_box(const double *box, size_t n, bool lattice)
{
    size_t most = lattice ? tt_lattice_dimensions : COORDINATES_MOST;
    if (!box || n < 1 || n > most)
        return tt_fail(TUTTI_EARG,
                       "a box of %zu coordinates given, 1 to %zu expected%s",
                       box ? n : 0, most, lattice ? " for a lattice" : "");
    for (size_t d = 0; d < n; d++) {
        double low = box[2 * d], high = box[2 * d + 1];
        const char *wrong = NULL;
        if (!isfinite(low) || !isfinite(high))
            wrong = "it must be finite; map an infinite one to a finite one "
                    "by a change of variables";
        else if (low > high)
            wrong = "low and high are the wrong way round";
        else if (low == high)
            wrong = "it is empty";
        else if (!isfinite(2 * (high - low)))
            wrong = "it is too wide for a double";
        if (wrong)
            return tt_fail(TUTTI_EARG, "side %zu of the box is [%g, %g]: %s", d,
                           low, high, wrong);
    }
    return TUTTI_OK;
}

static tutti_status check_how(const tutti_expect_options *how)
{
    bool lattice = how->method == TUTTI_EXPECT_LATTICE;
    if (how->size != sizeof *how)
        return tt_fail(TUTTI_EARG,
                       "tutti_expect_options of %u bytes given, %zu expected: "
                       "begin with TUTTI_EXPECT_OPTIONS_INIT",
                       how->size, sizeof *how);
    if (how->method != TUTTI_EXPECT_PLAIN && !lattice)
        return tt_fail(TUTTI_EARG, "there is no method %d", (int)how->method);
    if (how->bits != 0 && how->bits != 53 && (how->bits != 32 || lattice))
        return tt_fail(TUTTI_EARG, "%u bits given, %s expected", how->bits,
                       lattice ? "53 (a lattice's)" : "53 or 32");
    if (!(how->standard_error >= 0) || isinf(how->standard_error))
        return tt_fail(TUTTI_EARG,
                       "a standard error of %g given, 0 or more expected",
                       how->standard_error);
    if (how->samples > SAMPLES_MOST)
        return tt_fail(TUTTI_EARG, "more than 2^63 samples given");
    return TUTTI_OK;
}

/* log2 of a lattice's points of a shift. */
static unsigned lattice_of(uint64_t samples, bool searches)
{
    unsigned log2 = 0, most = searches ? LATTICE_FIRST : TT_LATTICE_MOST;
    while (log2 < most && samples >> (log2 + 1) >= SHIFTS)
        log2++;
    return log2;
}

/* Few samples may be slow ones: they are shared out, too. */
static unsigned unit_for(uint64_t samples)
{
    unsigned unit = BLOCK_MOST;
    while (unit > BLOCK_LEAST && samples / unit < BLOCKS)
        unit /= 2;
    return unit;
}

tutti_status tutti_expect_by(tutti_expectation *out, tutti_expect_runner runner,
                             void *arg, const double *box, size_t n,
                             const tutti_expect_options *how, size_t unit)
{
    bool lattice = how->method == TUTTI_EXPECT_LATTICE;
    bool searches = how->standard_error > 0;
    tutti_status status = check_how(how);
    if (!status)
        status = check_box(box, n, lattice);
    if (status)
        return status;
    struct state s = {
        .how = how, .samples = how->samples, .unit = (unsigned)unit};
    if (s.samples == 0)
        s.samples = searches ? SAMPLES_TO_ERROR : SAMPLES;
    if (unit == 0)
        s.unit = unit_for(s.samples);
    s.log2 = lattice ? lattice_of(s.samples, searches) : TT_SAMPLE_NO_LATTICE;
    status = run(&s, runner, arg);
    if (!status)
        estimate(out, &s);
    return status;
}

#define NO_MEMORY "no memory"

/* What a run of kernels needs. */
struct call {
    struct tt_sampler *sampler;
    size_t size; /* bytes of that */
    uint64_t samples;
    tutti_options options;
    const tutti_options *given;
    int cancelled; /* by progress: the next round is not begun */
};

static int tell_progress(void *arg, size_t done, size_t n)
{
    struct call *c = arg;
    uint64_t all = c->samples, before = c->sampler->first;
    if (all < before + n)
        all = before + n;
    c->cancelled =
        c->given->progress(c->given->progress_arg, before + done, all);
    return c->cancelled;
}

static void join_parts(void *left, const void *right, void *context)
{
    const struct tt_sampler *s = context;
    tt_part_join(left, right, s->log2);
}

/* "task 4096 failed: f is nan at ...": the sample is what matters. */
static tutti_status tell_value(void)
{
    const char *why = strstr(tutti_detail(), "failed: ");
    char text[500];
    snprintf(text, sizeof text, "%s", why ? why + 8 : tutti_detail());
    bool memory = strncmp(text, NO_MEMORY, strlen(NO_MEMORY)) == 0;
    return tt_fail(memory ? TUTTI_EMEM : TUTTI_EARG, "%s", text);
}

static tutti_status run_round(void *arg, tutti_expect_part *out,
                              const tutti_expect_round *round)
{
    struct call *c = arg;
    static const tutti_expect_part none;
    const tutti_fold fold = {sizeof *out, &none, tt_sampler_fold, join_parts};
    if (c->cancelled)
        return tt_fail(TUTTI_ECANCEL, TT_RUN_CANCELLED);
    c->sampler->first = round->first;
    c->sampler->log2 = round->log2;
    tutti_status status =
        tt_reduce(out, &fold, round->count, round->unit, c->sampler, c->size,
                  c->sampler->function, &c->options);
    return status == TUTTI_ETASK ? tell_value() : status;
}

static tutti_status check_travel(const struct call *c)
{
    const struct tt_callee *callee = c->sampler->callee;
    if (!tt_travel_needed(&c->options) || (!callee[0].user && !callee[1].user))
        return TUTTI_OK;
    return tt_fail(TUTTI_EPLACE,
                   "a function with user data stays in its "
                   "process: its pointer means nothing in others");
}

/* A sampler of kernels, whose box and options are fine. */
static tutti_status make_sampler(struct call *c, tutti_kernel *f,
                                 const double *box, size_t n,
                                 const tutti_expect_options *how)
{
    c->size = tt_sampler_size(n);
    c->sampler = calloc(1, c->size);
    if (!c->sampler)
        return tt_fail_memory("a box");
    c->sampler->how = *how;
    c->sampler->n = n;
    memcpy(c->sampler->box, box, 2 * n * sizeof *box);
    tutti_status status = tt_sampler_take(c->sampler, 0, f);
    if (!status && how->density)
        status = tt_sampler_take(c->sampler, 1, how->density);
    return status;
}

static tutti_status check_all(const void *out, const tutti_kernel *f,
                              const double *box, size_t n,
                              const tutti_expect_options *how)
{
    if (!out || !f)
        return tt_fail(TUTTI_EARG, "tutti_expect: out and f are needed, one is "
                                   "NULL");
    tutti_status status = check_how(how);
    if (!status)
        status = check_box(box, n, how->method == TUTTI_EXPECT_LATTICE);
    return status;
}

tutti_status tutti_expect(tutti_expectation *out, tutti_kernel *f,
                          const double *box, size_t n,
                          const tutti_expect_options *how,
                          const tutti_options *options)
{
    static const tutti_expect_options defaults = TUTTI_EXPECT_OPTIONS_INIT;
    static const tutti_options plain = TUTTI_OPTIONS_INIT;
    struct call c = {.given = options ? options : &plain};
    how = how ? how : &defaults;
    c.options = *c.given;
    c.samples = how->samples;
    if (c.given->progress) {
        c.options.progress = tell_progress;
        c.options.progress_arg = &c;
    }
    tutti_status status = check_all(out, f, box, n, how);
    if (!status)
        status = make_sampler(&c, f, box, n, how);
    if (!status)
        status = check_travel(&c);
    if (!status)
        status = tutti_expect_by(out, run_round, &c, box, n, how, 0);
    free(c.sampler);
    return status;
}

/* Folds the blocks of a round; the caller frees *parts. */
static tutti_status fold_blocks(tutti_expect_part **parts, size_t *blocks,
                                struct tt_sampler *s,
                                const tutti_expect_round *round)
{
    size_t unit = round->unit, n = round->count;
    *blocks = n / unit + (n % unit != 0);
    *parts = calloc(*blocks, sizeof **parts);
    if (!*parts)
        return tt_fail_memory("blocks of samples");
    s->first = round->first;
    s->log2 = round->log2;
    for (size_t i = 0, at = 0; i < *blocks; i++, at += unit)
        if (tt_sampler_fold(&(*parts)[i], at, at + unit < n ? at + unit : n, s))
            return tell_value();
    return TUTTI_OK;
}

tutti_status tutti_expect_piece(tutti_expect_part *out, tutti_kernel *f,
                                const double *box, size_t n,
                                const tutti_expect_options *how,
                                const tutti_expect_round *round)
{
    struct call c = {.size = 0};
    tutti_expect_part *parts = NULL;
    size_t blocks;
    tutti_status status = check_all(out, f, box, n, how);
    if (!status && (round->unit == 0 || round->count == 0))
        status = tt_fail(TUTTI_EARG, "a round without samples, or no unit");
    if (!status)
        status = make_sampler(&c, f, box, n, how);
    if (!status)
        status = fold_blocks(&parts, &blocks, c.sampler, round);
    if (!status) {
        tutti_expect_join(parts, blocks, round->log2);
        *out = parts[0];
    }
    free(parts);
    free(c.sampler);
    return status;
}
