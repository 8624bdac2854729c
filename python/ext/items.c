/* The items of a loop, and the iterator that hands them to a comprehension. */
#include "face.h"

#include <string.h>

/* Whether ranges of `object` can be cut out by slicing. `iterator` is its own:
 * a sequence iterator reads object[0], object[1], ..., so slices of a buffer
 * (an array's rows) are what iteration gives. */
static bool sliceable(PyObject *object, PyObject *iterator)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object) ||
           PyRange_Check(object) ||
           (PySeqIter_Check(iterator) && PyObject_CheckBuffer(object));
}

/* The length of `object` if it can be a column, -1 if not, -2: an error. */
static Py_ssize_t column_length(PyObject *object)
{
    PyObject *iterator = PyObject_GetIter(object);
    if (!iterator)
        return -2;
    bool yes = sliceable(object, iterator);
    Py_DECREF(iterator);
    if (!yes)
        return -1;
    Py_ssize_t n = PyObject_Size(object);
    return n < 0 ? -2 : n;
}

/* An iterator of what the iterables yield. */
static PyObject *together(PyObject *iterables)
{
    return PyTuple_GET_SIZE(iterables) > 1
               ? PyObject_Call((PyObject *)&PyZip_Type, iterables, NULL)
               : PyObject_GetIter(PyTuple_GET_ITEM(iterables, 0));
}

/* A tuple of one list, with all that the iterables yield. */
static PyObject *gather(PyObject *iterables, size_t *n)
{
    PyObject *source = together(iterables), *list, *columns;
    if (!source)
        return NULL;
    list = PySequence_List(source);
    Py_DECREF(source);
    if (!list)
        return NULL;
    *n = (size_t)PyList_GET_SIZE(list);
    columns = PyTuple_Pack(1, list);
    Py_DECREF(list);
    return columns;
}

/* Whether all items are in memory anyway. */
static bool listed(PyObject *object)
{
    return PyList_Check(object) || PyTuple_Check(object) ||
           PyAnySet_Check(object) || PyDict_Check(object) ||
           PyDictViewSet_Check(object) || PyDictValues_Check(object) ||
           PyUnicode_Check(object) || PyBytes_Check(object) ||
           PyByteArray_Check(object) || PyRange_Check(object) ||
           PyObject_CheckBuffer(object);
}

PyObject *tt_py_source(PyObject *iterables)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(iterables); i++)
        if (!listed(PyTuple_GET_ITEM(iterables, i)))
            return together(iterables);
    return NULL;
}

/* The iterables as sequences whose ranges can be sliced: themselves, or one
 * list. *star: an item is a tuple of arguments. *n: the shortest length. */
PyObject *tt_py_columns(PyObject *iterables, bool *star, size_t *n)
{
    Py_ssize_t count = PyTuple_GET_SIZE(iterables), least = PY_SSIZE_T_MAX;
    *star = count > 1;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_ssize_t length = column_length(PyTuple_GET_ITEM(iterables, i));
        if (length == -2)
            return NULL;
        if (length == -1)
            return gather(iterables, n);
        if (length < least)
            least = length;
    }
    *n = (size_t)least;
    return Py_NewRef(iterables);
}

/* Takes over `inner`, also on failure. */
static struct tt_py_items *make(struct tt_py_state *state, PyObject *inner)
{
    struct tt_py_items *items =
        inner ? PyObject_New(struct tt_py_items, state->items) : NULL;
    if (!items) {
        Py_XDECREF(inner);
        return NULL;
    }
    memset((char *)items + sizeof items->ob_base, 0,
           sizeof *items - sizeof items->ob_base);
    items->inner = inner;
    items->next = Py_TYPE(inner)->tp_iternext;
    return items;
}

struct tt_py_items *tt_py_items_new(struct tt_py_state *state,
                                    PyObject *columns)
{
    return make(state, together(columns));
}

struct tt_py_items *tt_py_items_lazy(struct tt_py_state *state,
                                     PyObject *source, double until)
{
    struct tt_py_items *items = make(state, Py_NewRef(source));
    if (items) {
        items->lazy = true;
        items->until = until;
    }
    return items;
}

/* Of the item that was yielded last. */
size_t tt_py_items_index(const struct tt_py_items *items)
{
    return items->base + items->end - items->left - 1;
}

/* The list that a comprehension builds is on its stack only, and is gone when a
 * task raises: what was computed would be lost. CPython hands out the list
 * that was freed last first: thus the place of the next one is known, and when
 * the first item is asked for, it is there. A collection in between would free
 * that memory. Where this does not hold, no results are found, and none are
 * taken for them: the length has to be right too. */
#ifndef Py_GIL_DISABLED
static void expect_list(struct tt_py_items *items)
{
    PyObject *list = PyList_New(0);
    if (!list)
        return PyErr_Clear();
    items->collects = PyGC_Disable();
    items->hint = list;
    Py_DECREF(list);
}

static void find_list(struct tt_py_items *items)
{
    PyObject *list = items->hint;
    if (list && Py_REFCNT(list) == 1 && PyList_CheckExact(list) &&
        PyList_GET_SIZE(list) == 0)
        items->results = Py_NewRef(list);
}

static void forget_hint(struct tt_py_items *items)
{
    if (items->hint && items->collects)
        PyGC_Enable();
    items->hint = NULL;
}
#else
static void expect_list(struct tt_py_items *items)
{
    (void)items;
}

static void find_list(struct tt_py_items *items)
{
    (void)items;
}

static void forget_hint(struct tt_py_items *items)
{
    (void)items;
}
#endif

PyObject *tt_py_items_done(struct tt_py_items *items, size_t begin)
{
    PyObject *list = items->results;
    size_t index = tt_py_items_index(items) + items->broken;
    items->results = NULL;
    if (list && PyList_GET_SIZE(list) == (Py_ssize_t)(index - begin))
        return list;
    Py_XDECREF(list);
    return PyList_New(0);
}

PyObject *tt_py_items_loop(struct tt_py_state *state, PyObject *f,
                           struct tt_py_items *items, bool star,
                           PyObject *caught)
{
    static const char *const names[2][2] = {{"plain", "plain_star"},
                                            {"kept", "kept_star"}};
    PyObject *loop =
        PyObject_GetAttrString(state->loops, names[caught != NULL][star]);
    if (!loop)
        return NULL;
    struct tt_py_items *outer = tt_py_task_enter(items);
    expect_list(items);
    PyObject *results =
        PyObject_CallFunctionObjArgs(loop, f, items, caught, NULL);
    forget_hint(items);
    tt_py_task_enter(outer);
    Py_DECREF(loop);
    if (results)
        Py_CLEAR(items->results);
    return results;
}

/* Ends the iteration early, with or without an exception. */
static PyObject *ended(struct tt_py_items *items)
{
    items->left++;
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_StopIteration))
        PyErr_Clear();
    items->dry = items->lazy && !PyErr_Occurred();
    items->broken = !items->dry;
    if (items->broken && !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError,
                        "the items became fewer during tutti.map; give it a "
                        "copy if the function changes them");
    return NULL;
}

/* The next items of a loop without a map. Where the time counts, they come by
 * 1, 2, 4, ..., until they take as long as reading the clock may cost; a worker
 * begins its first in any case. */
static bool begin_range(struct tt_py_items *items)
{
    size_t most = items->lazy ? SIZE_MAX : items->more, next = most;
    if (items->until > 0 && most > 0) {
        double now = tt_py_cost_clock();
        if (now >= items->until && (items->lazy || items->range))
            return false;
        if (!items->range || now - items->since < 10e-6)
            items->range = items->range ? 2 * items->range : 1;
        else if (now - items->since > 20e-6 && items->range > 1)
            items->range /= 2;
        items->since = now;
        next = items->range < most ? items->range : most;
    }
    items->left = next;
    items->end += next;
    items->more = most - next;
    return next > 0;
}

/* Claims the next range. False: none left, or an exception. */
static bool claim(struct tt_py_items *items)
{
    struct tt_py_map *map = items->map;
    size_t begin, end;
    if (items->hint) {
        find_list(items);
        forget_hint(items);
    }
    if (!map)
        return begin_range(items);
    if (atomic_load_explicit(&map->box.full, memory_order_acquire))
        tt_py_mailbox_look(&map->box);
    if (atomic_load_explicit(&map->wanted, memory_order_relaxed))
        tt_py_message_prepare(map);
    if (!tutti_run_claim(map->run, &begin, &end))
        return false;
    if (PyErr_Occurred()) {
        items->broken = true;
        return false;
    }
    items->left = end - begin;
    items->end = end;
    return true;
}

static PyObject *items_next(struct tt_py_items *items)
{
    if (!items->left && !claim(items))
        return NULL;
    items->left--;
    if (items->serves)
        tutti_worker_at(items->end - items->left - 1);
    if (items->seed && items->seed->given && tt_py_seed_task(items) < 0)
        return ended(items);
    PyObject *item = items->next(items->inner);
    if (!item)
        return ended(items);
    if (items->lazy)
        Py_XSETREF(items->last, Py_NewRef(item));
    return item;
}

static void items_dealloc(struct tt_py_items *items)
{
    PyTypeObject *type = Py_TYPE(items);
    Py_XDECREF(items->inner);
    Py_XDECREF(items->last);
    Py_XDECREF(items->results);
    Py_XDECREF(items->rng);
    PyObject_Free(items);
    Py_DECREF(type);
}

static PyType_Slot items_slots[] = {
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, items_next},
    {Py_tp_dealloc, items_dealloc},
    {0, NULL},
};

PyType_Spec tt_py_items_spec = {
    .name = "tutti._tutti.Items",
    .basicsize = sizeof(struct tt_py_items),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = items_slots,
};
