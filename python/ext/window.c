/* tutti.map over an iterator: its length is not known, and it is never listed.
 * The caller runs items as they come; once tasks turn out to be worth more than
 * their way to a worker, windows of items are mapped, one after the other. */
#include "face.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALONE 0.5e-3 /* seconds that the caller works alone at first */
#define AGAIN 8      /* times as long as before, when it did not pay */
#define SAMPLE 64    /* items of the window that shows what a task takes */
#define WORTH 1e-6   /* seconds of a task that a window may pay for */
#define SHORT 0.1    /* seconds of a window: as long as all took so far, */
#define LONG 2.0     /* for that much more may come, but at most so long */
#define LEAST 32     /* items of a window that takes longer than that */
#define MOST 1000000
#define GROWTH 8
#define BYTES (64u << 20)

/* What is known of an iterator's loop. */
struct stream {
    struct tt_py_map *map;
    PyObject *caught;
    PyObject *raised; /* by the iterator, behind the items that it yielded */
    bool ended;
    size_t width; /* items of the next window */
    double each;  /* seconds of a task in the last one */
    double alone; /* of an item in the caller alone, the iterator included */
    bool loses;   /* the last window took longer than that */
    double began;
};

static int join(PyObject **results, PyObject *part)
{
    Py_ssize_t n = PyList_GET_SIZE(*results), m = PyList_GET_SIZE(part);
    int bad;
    if (m > n) {
        bad = PyList_SetSlice(part, 0, 0, *results);
        Py_SETREF(*results, part);
        return bad;
    }
    bad = PyList_SetSlice(*results, n, n, part);
    Py_DECREF(part);
    return bad;
}

static int set_columns(struct tt_py_map *map, PyObject *list)
{
    PyObject *columns = PyTuple_Pack(1, list);
    if (!columns)
        return -1;
    Py_XSETREF(map->columns, columns);
    map->loop.n = (size_t)PyList_GET_SIZE(list);
    return 0;
}

/* The caller's loop over the iterator itself raised: tells of the item, for
 * which there is no column, and of all results. */
static void lazy_failed(struct tt_py_map *map, struct tt_py_items *items)
{
    PyObject *error = PyErr_GetRaisedException();
    size_t index = tt_py_items_index(items);
    PyObject *done = tt_py_items_done(items, map->base), *list = NULL;
    if (!items->broken)
        list = Py_BuildValue("[O]", items->last);
    map->base = index + items->broken;
    map->loop.n = 0;
    bool told = list && set_columns(map, list) == 0;
    bool joined = done && join(&map->results, Py_NewRef(done)) == 0;
    Py_XDECREF(list);
    Py_XDECREF(done);
    if (!(told && joined))
        PyErr_Clear();
    PyErr_SetRaisedException(error);
    tt_py_raise_note(map, items->broken ? TT_PY_NO_TASK : (Py_ssize_t)index,
                     map->results);
}

/* Runs items as they come, until a time. */
static int run_lazily(struct stream *s, double until)
{
    struct tt_py_map *map = s->map;
    struct tt_py_items *items =
        tt_py_items_lazy(map->state, map->source, until);
    if (!items)
        return -1;
    items->base = map->base;
    items->seed = &map->seed;
    PyObject *part =
        tt_py_items_loop(map->state, map->f, items, map->star, s->caught);
    s->ended = items->dry;
    if (!part)
        lazy_failed(map, items);
    items->seed = NULL;
    Py_DECREF(items);
    if (!part)
        return -1;
    map->base += (size_t)PyList_GET_SIZE(part);
    return join(&map->results, part);
}

/* Bytes of an item, roughly: large buffers count, in tuples too. */
static size_t bytes_of(PyObject *item, bool deep)
{
    size_t sum = 64;
    Py_buffer view;
    if (PyUnicode_Check(item))
        return sum + (size_t)PyUnicode_GET_LENGTH(item);
    if (PyTuple_CheckExact(item) && deep) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(item); i++)
            sum += bytes_of(PyTuple_GET_ITEM(item, i), false);
    } else if (PyObject_CheckBuffer(item)) {
        if (PyObject_GetBuffer(item, &view, PyBUF_FULL_RO) < 0) {
            PyErr_Clear();
            return sum;
        }
        sum += (size_t)view.len;
        PyBuffer_Release(&view);
    }
    return sum;
}

static double length(const struct stream *s)
{
    double so_far = tt_py_cost_clock() - s->began;
    return so_far < SHORT ? SHORT : so_far > LONG ? LONG : so_far;
}

/* The next item; NULL at the end, or when the iterator raises. */
static PyObject *pull_one(struct stream *s)
{
    PyObject *item = PyIter_Next(s->map->source);
    if (!item) {
        s->ended = true;
        s->raised = PyErr_Occurred() ? PyErr_GetRaisedException() : NULL;
    }
    return item;
}

/* The items of a window: a list, or NULL with an exception. The clock is read
 * after 1, 2, 4, ... items, and after each that takes long. */
static PyObject *pull(struct stream *s, size_t most)
{
    double from = tt_py_cost_clock(), last = from, most_time = length(s) / 2;
    size_t bytes = 0, step = 1, check = 1;
    PyObject *list = PyList_New(0), *item;
    for (size_t i = 1; list && i <= most && bytes < BYTES; i++) {
        if (!(item = pull_one(s)))
            break;
        bytes += bytes_of(item, true);
        if (PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_DECREF(item);
        if (i < check)
            continue;
        double now = tt_py_cost_clock();
        if (now - from > most_time)
            break;
        step = now - last < 50e-6 ? 2 * step : 1;
        check = i + step;
        last = now;
    }
    return list;
}

/* What a window that is done tells about the next. */
static void learn(struct stream *s, double start, double from)
{
    struct tt_py_map *map = s->map;
    double now = tt_py_cost_clock(), all = length(s);
    size_t n = map->loop.n, next = MOST;
    bool spread = PyDict_GET_SIZE(map->parts) > 0;
    s->each = n ? (now - from) / (double)n : 0;
    s->loses = spread && s->alone > 0 && now - start > (double)n * s->alone;
    if (s->each * MOST > all)
        next = (size_t)(all / s->each);
    s->width = next > GROWTH * n ? GROWTH * n : next;
    if (s->width < LEAST)
        s->width = LEAST;
    map->base += n;
    PyDict_Clear(map->parts);
    Py_CLEAR(map->memo);
    Py_CLEAR(map->columns);
}

/* Maps the next window of at most `most` items. */
static int run_window(struct stream *s, size_t most)
{
    struct tt_py_map *map = s->map;
    double start = tt_py_cost_clock();
    PyObject *list = pull(s, most), *part = NULL;
    if (!list || set_columns(map, list) < 0)
        goto drop;
    if (!map->loop.n && map->base) {
        Py_DECREF(list);
        return 0;
    }
    double from = tt_py_cost_clock();
    part = tt_py_map_window(map, s->caught);
    if (part)
        learn(s, start, from);
drop:
    Py_XDECREF(list);
    return part ? join(&map->results, part) : -1;
}

/* Whether tasks are worth being sent. */
static bool pays(const struct stream *s)
{
    return !s->loses && s->each > WORTH + 3 * s->map->message.task_cost;
}

/* A while alone, then a sample of what a task takes without the iterator. */
static int run_alone(struct stream *s)
{
    double now = tt_py_cost_clock();
    size_t before = s->map->base;
    double more = AGAIN * (now - s->began);
    if (run_lazily(s, now + (more > ALONE ? more : ALONE)) < 0)
        return -1;
    if (s->ended)
        return 0;
    size_t items = s->map->base - before;
    s->alone = items ? (tt_py_cost_clock() - now) / (double)items : ALONE;
    s->each = s->alone;
    s->loses = false;
    s->width = LEAST;
    if (s->alone >= ALONE)
        return 0;
    size_t sample = (size_t)(ALONE / s->alone);
    return run_window(s, sample < SAMPLE ? sample + 1 : SAMPLE);
}

/* Whether the place is the caller, or may be it: 1 always, 0 if that pays, -1
 * never. */
static int caller_runs(const struct tt_py_map *map)
{
    const char *forced = getenv("TUTTI_ON"), *on = map->on;
    if (tt_py_map_alone(map))
        return 1;
    if (map->queue)
        return -1;
    if (forced && *forced && strcmp(forced, "auto") != 0)
        on = forced;
    if (map->options.task_timeout > 0 || map->options.retries > 0 || map->bar)
        return -1;
    if (strcmp(on, "serial") == 0)
        return 1;
    return strncmp(on, "auto", 4) == 0 ? map->options.workers == 1 : -1;
}

static int run_all(struct stream *s)
{
    int alone = caller_runs(s->map), bad = 0;
    if (alone == 1)
        return run_lazily(s, INFINITY);
    if (alone < 0)
        bad = run_window(s, s->width);
    while (!bad && !s->ended)
        bad = alone < 0 || pays(s) ? run_window(s, s->width) : run_alone(s);
    return bad;
}

/* Only now it is known how many there were. */
static int end_bar(struct tt_py_map *map)
{
    Py_ssize_t n = (Py_ssize_t)map->base;
    PyObject *drawn =
        map->bar ? PyObject_CallFunction(map->bar, "nn", n, n) : NULL;
    Py_XDECREF(drawn);
    return map->bar && !drawn ? -1 : 0;
}

PyObject *tt_py_map_lazily(struct tt_py_map *map, PyObject *caught)
{
    struct stream s = {.map = map, .caught = caught, .width = LEAST};
    s.began = tt_py_cost_clock();
    map->results = PyList_New(0);
    PyObject *results = NULL;
    int bad = map->results ? run_all(&s) : -1;
    if (!bad && s.raised) {
        map->loop.n = 0;
        PyErr_SetRaisedException(Py_NewRef(s.raised));
        tt_py_raise_note(map, TT_PY_NO_TASK, map->results);
    } else if (!bad && end_bar(map) == 0) {
        results = Py_NewRef(map->results);
    }
    Py_CLEAR(map->results);
    Py_XDECREF(s.raised);
    return results;
}
