/* A worker's half of a queue: it unpickles each task, calls, and pickles each
 * outcome by itself, so that one that cannot travel spoils no other. What is
 * not ordinary is left to tutti._worker. */
#include "queue.h"

#include <time.h>

/* What was computed in so many ns leaves together, and is lost together with
 * its worker: tiny tasks are not worth a message each. */
#define BATCH_NS 20000

/* What a worker keeps while it serves one queue. */
struct sitting {
    PyObject_HEAD struct tt_py_state *state;
    PyObject *worker; /* a tutti._worker.Worker; borrowed: it lives longer */
    PyObject *dump;   /* tutti._wire.dump */
    PyObject *functions[TT_PY_SLOTS + 1]; /* or why there is none */
    bool broken[TT_PY_SLOTS + 1];
    struct tt_py_items *items; /* where tutti.task looks */
    /* In a parcel whose first tasks have run: where the rest begins. */
    struct tt_py_reader reader;
    size_t next;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What came from the caller; that may import modules, see worker.c. */
static PyObject *load(struct sitting *s, const tutti_parcel *piece)
{
    s->state->loading = true;
    PyObject *value = tt_py_bundle_load(s->state, piece);
    s->state->loading = false;
    return value;
}

/* Keeps a function that came, or why it cannot be read. */
static void keep(struct sitting *s, unsigned slot, const tutti_parcel *piece)
{
    PyObject *f = PyObject_CallMethod(s->worker, "function", "NN",
                                      tt_py_view(piece), tt_py_blocks(piece));
    PyObject *old = s->functions[slot];
    s->broken[slot] = !f;
    s->functions[slot] = f ? f : PyErr_GetRaisedException();
    Py_XDECREF(old);
}

/* A task's call taken apart. */
struct call {
    PyObject *f, *args, *kwargs;
};

/* Fills `call`, whose parts are new references. -1: it cannot be read. */
static int read_call(struct sitting *s, const struct tt_py_record *record,
                     const tutti_parcel *piece, struct call *call)
{
    unsigned slot = record->slot;
    PyObject *f = slot <= TT_PY_SLOTS ? Py_XNewRef(s->functions[slot]) : NULL;
    if (!f || s->broken[slot]) {
        if (f)
            PyErr_SetRaisedException(f);
        return -1;
    }
    call->f = f;
    call->args = load(s, piece);
    if (!call->args || record->kind != TT_PY_CALL_KEYS)
        return call->args ? 0 : -1;
    PyObject *both = call->args, *args, *kwargs;
    call->args = NULL;
    if (PyArg_ParseTuple(both, "OO", &args, &kwargs)) {
        call->args = Py_NewRef(args);
        call->kwargs = Py_NewRef(kwargs);
    }
    Py_DECREF(both);
    return call->args ? 0 : -1;
}

static void drop(struct call *call)
{
    Py_XDECREF(call->f);
    Py_XDECREF(call->args);
    Py_XDECREF(call->kwargs);
}

/* Puts the exception that is raised; `how` makes a bundle of it: a method of
 * the worker that takes the index, the exception, and perhaps a result. */
static tutti_status put_error(struct sitting *s, size_t index, const char *how,
                              PyObject *result, tutti_bytes *out)
{
    struct tt_py_bundle bundle = {0};
    PyObject *error = PyErr_GetRaisedException();
    PyObject *caught =
        PyObject_CallMethod(s->worker, how, "nOO", (Py_ssize_t)index, error,
                            result ? result : Py_None);
    Py_DECREF(error);
    tutti_status status = TUTTI_EMEM;
    if (caught && tt_py_bundle_take(&bundle, caught, s->dump) == 0)
        status = tt_py_record_put(out, TT_PY_ERROR, 0, &bundle);
    else
        PyErr_Print();
    Py_XDECREF(caught);
    tt_py_bundle_drop(&bundle);
    return status;
}

static tutti_status put_result(struct sitting *s, size_t index,
                               PyObject *result, tutti_bytes *out)
{
    struct tt_py_bundle bundle = {0};
    if (result == Py_None)
        return tt_py_record_put(out, TT_PY_NONE, 0, NULL);
    PyObject *sent = tt_py_bundle_bulk(s->state, result);
    int bad = sent ? tt_py_bundle_dump(&bundle, s->state, sent, s->dump) : -1;
    Py_XDECREF(sent);
    if (bad)
        return put_error(s, index, "unsendable", result, out);
    tutti_status status = tt_py_record_put(out, TT_PY_VALUE, 0, &bundle);
    tt_py_bundle_drop(&bundle);
    return status;
}

/* Runs one task and puts its outcome. */
static tutti_status run(struct sitting *s, size_t index,
                        const struct tt_py_record *record,
                        const tutti_parcel *piece, tutti_bytes *out)
{
    struct call call = {0};
    tutti_status status;
    if (read_call(s, record, piece, &call) < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "its function did not come");
        status = put_error(s, index, "unreadable", NULL, out);
    } else {
        s->items->end = index + 1;
        PyObject *result = PyObject_Call(call.f, call.args, call.kwargs);
        status = result ? put_result(s, index, result, out)
                        : put_error(s, index, "raised", NULL, out);
        Py_XDECREF(result);
    }
    drop(&call);
    return status;
}

/* The next record that is a task's; NULL: the parcel is not what it should be.
 */
static const struct tt_py_record *
next(struct sitting *s, const tutti_parcel *parcel, tutti_parcel *piece)
{
    const struct tt_py_record *record;
    while ((record = tt_py_record_next(parcel, &s->reader, piece)) &&
           record->kind == TT_PY_FUNCTION && record->slot <= TT_PY_SLOTS)
        keep(s, record->slot, piece);
    return record;
}

static tutti_status run_all(struct sitting *s, size_t begin, size_t end,
                            const tutti_parcel *parcel, tutti_bytes *out,
                            size_t *ran)
{
    uint64_t from = clock_ns();
    tutti_status status = TUTTI_OK;
    size_t i = begin;
    if (s->next != begin) /* no rest, but a new parcel */
        s->reader = (struct tt_py_reader){0};
    for (; i < end && !status; i++) {
        tutti_parcel piece;
        if (i > begin && clock_ns() - from > BATCH_NS)
            break;
        tutti_worker_at(i);
        const struct tt_py_record *record = next(s, parcel, &piece);
        if (!record)
            return TUTTI_EARG;
        status = record->kind == TT_PY_SKIP
                     ? tt_py_record_put(out, TT_PY_SKIP, 0, NULL)
                     : run(s, i, record, &piece, out);
    }
    *ran = i - begin;
    s->next = i < end ? i : SIZE_MAX;
    return status;
}

int tt_py_sitting_range(PyObject *self, size_t begin, size_t end, unsigned lane,
                        const tutti_parcel *parcel, tutti_bytes *out,
                        size_t *ran)
{
    struct sitting *s = (struct sitting *)self;
    s->items->worker = lane;
    struct tt_py_items *outer = tt_py_task_enter(s->items);
    tutti_status status = run_all(s, begin, end, parcel, out, ran);
    tt_py_task_enter(outer);
    return status ? -1 : 0;
}

/* Sitting(worker) */
static PyObject *sitting_new(PyTypeObject *type, PyObject *args,
                             PyObject *kwargs)
{
    PyObject *worker, *none = NULL;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O", &worker))
        return NULL;
    PyObject *module = PyImport_ImportModule("tutti._tutti");
    struct sitting *s =
        module ? (struct sitting *)type->tp_alloc(type, 0) : NULL;
    Py_XDECREF(module); /* it lives as long as the process */
    if (!s)
        return NULL;
    s->state = PyModule_GetState(module);
    s->next = SIZE_MAX;
    s->worker = worker;
    PyObject *wire = tt_py_bundle_init(s->state) ? NULL : tt_py_wire(s->state);
    s->dump = wire ? PyObject_GetAttrString(wire, "dump") : NULL;
    none = Py_BuildValue("(())");
    s->items = s->dump && none ? tt_py_items_new(s->state, none) : NULL;
    Py_XDECREF(none);
    if (!s->items)
        Py_CLEAR(s);
    return (PyObject *)s;
}

static void sitting_dealloc(struct sitting *s)
{
    PyTypeObject *type = Py_TYPE(s);
    for (unsigned i = 0; i <= TT_PY_SLOTS; i++)
        Py_XDECREF(s->functions[i]);
    Py_XDECREF(s->items);
    Py_XDECREF(s->dump);
    type->tp_free(s);
    Py_DECREF(type);
}

static PyType_Slot sitting_slots[] = {
    {Py_tp_new, sitting_new},
    {Py_tp_dealloc, sitting_dealloc},
    {0, NULL},
};

PyType_Spec tt_py_sitting_spec = {
    .name = "tutti._tutti.Sitting",
    .basicsize = sizeof(struct sitting),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = sitting_slots,
};
