/* Tasks on their way out of a queue: whoever drives its place, or waits for it,
 * unpickles what arrived, and delivers it. */
#include "queue.h"

#include <stddef.h>

/* The queue that this thread waits for: it settles by itself afterwards. */
static _Thread_local struct tt_py_queue *waits_for;

/* Deliveries that this thread is in. */
static _Thread_local unsigned inside;

struct tt_py_queue *tt_py_outcome_wait(struct tt_py_queue *q)
{
    struct tt_py_queue *outer = waits_for;
    waits_for = q;
    return outer;
}

bool tt_py_outcome_inside(void)
{
    return inside > 0;
}

PyObject *tt_py_outcome_lost(struct tt_py_queue *q, tutti_status status,
                             const char *why)
{
    PyObject *fault = tt_py_fault(q->state);
    const char *name = status == TUTTI_ETIME    ? "TaskTimeoutError"
                       : status == TUTTI_EPLACE ? "InitializerError"
                                                : "WorkerLostError";
    if (q->terminated)
        why = "the workers were terminated before the task had a result";
    return fault ? PyObject_CallMethod(fault, name, "s", why) : NULL;
}

/* Whether an interrupt came; the first is kept for the end of all deliveries.
 */
static bool interrupted(struct tt_py_queue *q, PyObject **interrupt)
{
    if (!tt_py_interrupted(q->state))
        return false;
    if (*interrupt)
        PyErr_Clear();
    else
        *interrupt = PyErr_GetRaisedException();
    return true;
}

static PyObject *load(struct tt_py_queue *q, const tutti_parcel *piece,
                      PyObject **interrupt)
{
    bool first = !*interrupt;
    PyObject *value = tt_py_bundle_load(q->state, piece);
    if (value || !interrupted(q, interrupt))
        return value;
    value = tt_py_bundle_load(q->state, piece);
    if (!value && first && !PyErr_ExceptionMatches(PyExc_Exception) &&
        !tt_py_struck(q->state))
        Py_CLEAR(*interrupt); /* it was the value's own, both times */
    return value;
}

/* The value, or *ok = false and the exception, that a record holds. */
static PyObject *unpack(struct tt_py_queue *q, const struct tt_py_news *news,
                        bool *ok, PyObject **interrupt)
{
    int kind = news->record ? news->record->kind : TT_PY_SKIP;
    PyObject *value = NULL;
    if (kind == TT_PY_NONE)
        return Py_NewRef(Py_None);
    *ok = kind == TT_PY_VALUE;
    if (*ok || kind == TT_PY_ERROR)
        value = load(q, &news->piece, interrupt);
    else
        PyErr_SetString(PyExc_ValueError, "it is not there");
    if (value && (*ok || PyExceptionInstance_Check(value)))
        return value;
    *ok = false;
    if (value) {
        Py_DECREF(value);
        PyErr_SetString(PyExc_TypeError, "it is no exception");
    }
    PyObject *error = PyErr_GetRaisedException();
    PyObject *crew = tt_py_crew(q->state);
    value = crew ? PyObject_CallMethod(crew, "unreadable", "nO",
                                       (Py_ssize_t)news->index, error)
                 : NULL;
    Py_XDECREF(error);
    return value;
}

/* Calls owner.deliver(ok, value). An interrupt that comes meanwhile must not
 * lose the outcome: it is delivered again, and the interrupt kept in
 * *interrupt. */
static void tell(struct tt_py_queue *q, PyObject *owner, bool ok,
                 PyObject *value, PyObject **interrupt)
{
    PyObject *done = PyObject_CallMethodObjArgs(
        owner, q->state->deliver, ok ? Py_True : Py_False, value, NULL);
    if (!done && interrupted(q, interrupt)) {
        done = PyObject_CallMethodObjArgs(owner, q->state->deliver,
                                          ok ? Py_True : Py_False, value, NULL);
        if (!done)
            PyErr_Clear();
    } else if (!done) {
        PyErr_WriteUnraisable(owner);
    }
    Py_XDECREF(done);
}

void tt_py_outcome_finish(struct tt_py_queue *q, struct tt_py_errand *errand,
                          bool ok, PyObject *value, PyObject **interrupt)
{
    if (!value) { /* nothing could even be said */
        ok = false;
        value = PyErr_GetRaisedException();
    }
    if (errand->cell && !errand->cell->set) {
        errand->cell->set = true;
        errand->cell->ok = ok;
        errand->cell->value = Py_NewRef(value);
    }
    if (errand->owner) {
        PyObject *id = PyLong_FromVoidPtr(errand->owner);
        if (!id || PyDict_DelItem(q->numbers, id) < 0)
            PyErr_Clear();
        Py_XDECREF(id);
        tell(q, errand->owner, ok, value, interrupt);
    }
    Py_DECREF(value);
    tt_py_errand_drop(errand);
}

/* What a worker printed. */
static void repeat(struct tt_py_queue *q, const struct tt_py_arrival *arrival,
                   PyObject **interrupt)
{
    if (!tt_py_say(q->state, (tutti_voice)arrival->detail, arrival->parcel.data,
                   arrival->parcel.size) &&
        !interrupted(q, interrupt))
        PyErr_Clear();
}

/* The outcome of a task: a new reference. */
static PyObject *outcome_of(struct tt_py_queue *q, struct tt_py_news *news,
                            bool *ok, PyObject **interrupt)
{
    const struct tt_py_arrival *arrival = news->arrival;
    *ok = false;
    if (news->errand.refusal)
        return Py_NewRef(news->errand.refusal);
    if (arrival->kind == TT_PY_LOST)
        return tt_py_outcome_lost(q, (tutti_status)arrival->detail,
                                  arrival->parcel.data);
    *ok = true;
    return unpack(q, news, ok, interrupt);
}

/* Settles one task that something arrived for. False: there is none. */
static bool settle_one(struct tt_py_queue *q, PyObject **interrupt)
{
    struct tt_py_news news;
    bool ok;
    if (!tt_py_backlog_take(&q->backlog, &news))
        return false;
    if (news.arrival->kind == TT_PY_SAID) {
        repeat(q, news.arrival, interrupt);
        tt_py_backlog_drop(&q->backlog, news.arrival);
        return true;
    }
    q->delivering++;
    PyObject *value = outcome_of(q, &news, &ok, interrupt);
    tt_py_backlog_drop(&q->backlog, news.arrival);
    tt_py_outcome_finish(q, &news.errand, ok, value, interrupt);
    q->delivering--;
    q->open--;
    return true;
}

/* What is raised, but for signals, is told of. -1: a signal raised. */
static int tell_of(struct tt_py_queue *q)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) ||
        tt_py_struck(q->state))
        return -1;
    PyErr_WriteUnraisable((PyObject *)q);
    return 0;
}

int tt_py_outcome_settle(struct tt_py_queue *q, bool asked)
{
    PyObject *interrupt = NULL;
    inside++;
    while (atomic_load_explicit(&q->backlog.arrived, memory_order_relaxed) &&
           settle_one(q, &interrupt))
        ;
    inside--;
    if (!interrupt)
        return 0;
    PyErr_SetRaisedException(interrupt);
    return asked ? -1 : tell_of(q);
}

static int raise(void *error)
{
    PyErr_SetRaisedException(error);
    return -1;
}

void tt_py_outcome_news(void *context)
{
    char *backlog = context;
    struct tt_py_queue *q =
        (void *)(backlog - offsetof(struct tt_py_queue, backlog));
    if (waits_for == q)
        return;
    PyGILState_STATE gil = PyGILState_Ensure();
    if (tt_py_outcome_settle(q, false) < 0) {
        /* Here nobody can pass it on: the thread that takes signals can. */
        PyObject *error = PyErr_GetRaisedException();
        if (Py_AddPendingCall(raise, error) < 0)
            Py_DECREF(error);
    }
    PyGILState_Release(gil);
}

/* tutti._tutti.settle(parts, name, value, state): a future, whose dict `parts`
 * is, has its outcome, unless it has a condition: then False. Neither another
 * thread nor a signal's handler comes in between. */
PyObject *tt_py_settle(PyObject *module, PyObject *args)
{
    PyObject *parts, *name, *value, *state;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!UOO", &PyDict_Type, &parts, &name, &value,
                          &state))
        return NULL;
    if (PyDict_GetItemString(parts, "_condition"))
        Py_RETURN_FALSE;
    if (PyDict_SetItem(parts, name, value) < 0 ||
        PyDict_SetItemString(parts, "_state", state) < 0)
        return NULL;
    Py_RETURN_TRUE;
}
