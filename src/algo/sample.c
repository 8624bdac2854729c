#include "algo/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "kernel/builtin/lattice.h"
#include "kernel/builtin/philox.h"
#include "kernel/builtin/turns.h"
#include "loop/run.h"

#define ROOM 3072 /* numbers of the points at a time, which stay in L1 */
#define MOST 1024 /* points at a time */

_Static_assert(sizeof(struct tt_part_moments) == sizeof(tutti_expect_part),
               "a part is its moments");
_Static_assert(TUTTI_EXPECT_GROUP == TT_GROUP, "points come in groups");

static size_t whole_groups(size_t count)
{
    return (count + TT_GROUP - 1) / TT_GROUP * TT_GROUP;
}

void tutti_expect_draw(double *x, size_t stride, const double *box, size_t n,
                       const tutti_expect_options *how, unsigned log2,
                       uint64_t first, size_t count)
{
    if (log2 == TT_SAMPLE_NO_LATTICE) {
        const struct tt_philox_points points = {
            how->seed, how->bits == 32 ? 32 : 53, (unsigned)n, box};
        tt_philox()->points(x, stride, &points, first, count);
    } else {
        const struct tt_lattice_points points = {how->seed, log2, (unsigned)n,
                                                 box};
        tt_lattice()->points(x, stride, &points, first, count);
    }
}

/* Points at a time: as many as stay in L1, whole groups, a part of a block. */
static size_t chunk_of(size_t n)
{
    size_t chunk = MOST;
    while (chunk > TT_GROUP && chunk * n > ROOM)
        chunk /= 2;
    return chunk;
}

/* Memory for a chunk: on the stack, where it is little. */
struct room {
    _Alignas(64) double here[2 * ROOM];
    double *more; /* or NULL */
    size_t chunk;
    double *x, *rows, *values, *density, *products;
};

static bool make_room(struct room *room, const struct tt_sampler *s)
{
    size_t chunk = room->chunk = chunk_of(s->n);
    bool rows = s->callee[0].rows || s->callee[1].rows;
    size_t size = chunk * (s->n * (rows ? 2 : 1) + 3) * sizeof(double);
    bool fits = size <= sizeof room->here;
    room->more = fits ? NULL : aligned_alloc(64, size);
    if (!fits && !room->more)
        return false;
    double *x = room->x = fits ? room->here : room->more;
    room->values = x + chunk * s->n;
    room->density = room->values + chunk;
    room->products = room->density + chunk;
    room->rows = room->products + chunk;
    return true;
}

/* False: it was stopped. */
static bool call(const struct tt_sampler *s, int which, const struct room *room,
                 size_t m, double *out)
{
    const struct tt_callee *c = &s->callee[which];
    const double *x = room->x;
    tt_kernel_entry entry = (tt_kernel_entry)s->function[which];
    if (c->native) {
        const struct tt_signature signature = {.form = c->form,
                                               .item = TUTTI_F64,
                                               .result = TUTTI_F64,
                                               .count_first = c->count_first,
                                               .user = c->has_user};
        entry = tt_native_entry(&signature);
    }
    if (c->rows) {
        tt_turns()->rows(room->rows, x, m, s->n);
        x = room->rows;
    }
    bool stopped = false;
    for (size_t j = 0, k; j < m && !stopped; j += k) {
        k = tt_form_is_block(c->form) || tt_run_slice() > m - j
                ? m - j
                : tt_run_slice();
        entry(s->function[which], c->user, k, x + j * (c->rows ? s->n : 1),
              s->n, out + j, m);
        stopped = tt_run_past(k);
    }
    return !stopped;
}

/* Draws m samples and calls the functions. False: it was stopped. */
static bool evaluate(const struct tt_sampler *s, const struct room *room,
                     uint64_t first, size_t m)
{
    size_t stride = whole_groups(m);
    tutti_expect_draw(room->x, stride, s->box, s->n, &s->how, s->log2, first,
                      m);
    for (size_t d = 1; d < s->n && stride > m; d++)
        memmove(room->x + d * m, room->x + d * stride, m * sizeof(double));
    return call(s, 0, room, m, room->values) &&
           (!s->function[1] || call(s, 1, room, m, room->density));
}

/* Samples at a time, of those that are left: fewer of slow functions that take
 * them together. */
static size_t next_chunk(const struct tt_sampler *s, const struct room *room,
                         size_t left)
{
    bool many = tt_form_is_block(s->callee[0].form) ||
                tt_form_is_block(s->callee[1].form);
    size_t most = many && tt_run_slice() < TT_GROUP ? TT_GROUP : room->chunk;
    return most < left ? most : left;
}

static double volume_of(const double *box, size_t n)
{
    double volume = 1;
    for (size_t d = 0; d < n; d++)
        volume *= box[2 * d + 1] - box[2 * d];
    return volume;
}

/* The sums of a block under way. */
struct sums {
    struct tt_tally value, density, f;
    double volume; /* 0: there is no density */
    bool negative; /* a density was, or it was no number */
};

/* Values where the density is zero do not count, whatever they are. */
static void add_weighted(struct sums *sums, double *values,
                         const double *density, double *products, size_t m,
                         bool begins)
{
    const struct tt_spread *spread = tt_spread();
    double volume = sums->volume;
    bool fine = true;
    for (size_t j = 0; j < m; j++) {
        fine &= density[j] >= 0;
        values[j] = density[j] == 0 ? 0 : values[j];
        products[j] = density[j] * volume * values[j];
    }
    sums->negative |= !fine;
    if (begins) {
        spread->begin(&sums->value, products, m);
        spread->begin(&sums->f, values, m);
    }
    spread->add(&sums->value, products, m);
    spread->add_weighted(&sums->f, density, values, m);
    if (begins)
        spread->begin(&sums->density, density, m);
    spread->add(&sums->density, density, m);
}

static void add(struct sums *sums, double *values, const double *density,
                double *products, size_t m, bool begins)
{
    if (density) {
        add_weighted(sums, values, density, products, m, begins);
        return;
    }
    if (begins)
        tt_spread()->begin(&sums->value, values, m);
    tt_spread()->add(&sums->value, values, m);
}

static bool is_finite(const struct tt_moments *m)
{
    return isfinite(m->mean) && isfinite(m->m2);
}

/* False: a number was not finite, or too large to be squared, or a density is
 * negative. */
static bool end_sums(tutti_expect_part *out, struct sums *sums, double count)
{
    const struct tt_spread *spread = tt_spread();
    struct tt_part_moments p = {.value = {0, 0, 0}};
    spread->end(&p.value, &sums->value, count);
    if (sums->volume != 0) {
        spread->end(&p.density, &sums->density, count);
        spread->end(&p.f, &sums->f, 0);
        p.density.mean *= sums->volume;
        p.density.m2 *= sums->volume * sums->volume;
    }
    memcpy(out, &p, sizeof p);
    return is_finite(&p.value) && is_finite(&p.density) && is_finite(&p.f) &&
           !sums->negative;
}

/* What is wrong with one of these values; false: nothing. */
static bool tell_value(char *text, size_t size, const double *x, size_t n,
                       const double *values, const double *density,
                       uint64_t first, size_t m)
{
    size_t j = 0;
    const char *what = NULL;
    double number = 0;
    for (; j < m && !what; j++) {
        if (density && (!(density[j] >= 0) || isinf(density[j]))) {
            what = "the density";
            number = density[j];
        } else if (!isfinite(values[j]) && !(density && density[j] == 0)) {
            what = "f";
            number = values[j];
        }
    }
    if (!what)
        return false;
    j--;
    if (isnan(number))
        number = (double)NAN; /* its sign depends on the CPU */
    size_t used = (size_t)snprintf(text, size, "%s is %g at (", what, number);
    for (size_t d = 0; d < n && d < 8; d++)
        used += (size_t)snprintf(text + used, size - used, "%s%.17g",
                                 d ? ", " : "", x[d * m + j]);
    snprintf(text + used, size - used, "%s), sample %llu: %s",
             n > 8 ? ", ..." : "", (unsigned long long)(first + j),
             *what == 'f' ? "its mean is not defined"
                          : "it must be finite and not negative");
    return true;
}

#define OVERFLOWS \
    "values of f are so large that their squares are no numbers any more; " \
    "scale f"

/* Finds the value that spoilt a block, and gives the failure its sentence. */
static void blame(const struct tt_sampler *s, const struct room *room,
                  uint64_t first, size_t count)
{
    char text[400];
    for (size_t at = 0, m; at < count; at += m) {
        m = next_chunk(s, room, count - at);
        if (!evaluate(s, room, first + at, m))
            return;
        if (tell_value(text, sizeof text, room->x, s->n, room->values,
                       s->function[1] ? room->density : NULL, first + at, m)) {
            tutti_task_fail("%s", text);
            return;
        }
    }
    tutti_task_fail(OVERFLOWS);
}

int tt_sampler_fold(void *part, size_t begin, size_t end, void *sampler)
{
    const struct tt_sampler *s = sampler;
    struct room room;
    struct sums sums = {.negative = false};
    if (!make_room(&room, s)) {
        tutti_task_fail("no memory for %zu coordinates", s->n);
        return -1;
    }
    double *density = s->function[1] ? room.density : NULL;
    if (density)
        sums.volume = volume_of(s->box, s->n);
    bool stopped = false, fine = false;
    for (size_t at = begin, m; at < end && !stopped; at += m) {
        m = next_chunk(s, &room, end - at);
        stopped = !evaluate(s, &room, s->first + at, m);
        add(&sums, room.values, density, room.products, m, at == begin);
    }
    if (!stopped)
        fine = end_sums(part, &sums, (double)(end - begin));
    if (!stopped && !fine)
        blame(s, &room, s->first + begin, end - begin);
    free(room.more);
    return fine ? 0 : -1;
}

tutti_status tutti_expect_fold(tutti_expect_part *out, const double *x,
                               const double *box, size_t n, double *values,
                               const double *density, uint64_t first, size_t m)
{
    struct sums sums = {.volume = density ? volume_of(box, n) : 0};
    tutti_expect_part part;
    double *products = NULL;
    char text[400];
    if (density && !(products = malloc(m * sizeof *products)))
        return tt_fail_memory("a block of samples");
    add(&sums, values, density, products, m, true);
    free(products);
    if (end_sums(&part, &sums, (double)m)) {
        *out = part;
        return TUTTI_OK;
    }
    if (tell_value(text, sizeof text, x, n, values, density, first, m))
        return tt_fail(TUTTI_EARG, "%s", text);
    return tt_fail(TUTTI_EARG, OVERFLOWS);
}

/* A whole shift becomes one number. */
static void settle(struct tt_part_moments *p, unsigned log2)
{
    if (log2 == TT_SAMPLE_NO_LATTICE || p->values.weight > 0 ||
        p->value.weight < ldexp(1, (int)log2))
        return;
    p->values = (struct tt_moments){1, p->value.mean, 0};
    if (p->density.weight > 0)
        p->densities = (struct tt_moments){1, p->density.mean, 0};
}

void tt_part_join(tutti_expect_part *left, const tutti_expect_part *right,
                  unsigned log2)
{
    const struct tt_spread *spread = tt_spread();
    struct tt_part_moments l, r;
    memcpy(&l, left, sizeof l);
    memcpy(&r, right, sizeof r);
    settle(&l, log2);
    settle(&r, log2);
    spread->join(&l.value, &r.value);
    spread->join(&l.density, &r.density);
    spread->join(&l.f, &r.f);
    spread->join(&l.values, &r.values);
    spread->join(&l.densities, &r.densities);
    settle(&l, log2);
    memcpy(left, &l, sizeof l);
}

void tutti_expect_join(tutti_expect_part *parts, size_t count, unsigned log2)
{
    for (size_t step = 1; step < count; step *= 2)
        for (size_t i = 0; i + step < count; i += 2 * step)
            tt_part_join(&parts[i], &parts[i + step], log2);
}
