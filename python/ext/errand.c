/* Tasks on their way into a queue: functions are pickled once, arguments with
 * every task, in the thread that submits it. */
#include "queue.h"

/* Whether `f` stays what it is, so that it may be pickled once. */
static bool keeps(PyObject *f)
{
    if (PyCFunction_Check(f))
        return !PyCFunction_GET_SELF(f) ||
               PyModule_Check(PyCFunction_GET_SELF(f));
    return PyFunction_Check(f) || PyType_Check(f) ||
           PyObject_HasAttrString((PyObject *)Py_TYPE(f), "tutti_stays");
}

void tt_py_function_drop(struct tt_py_function *f)
{
    if (!f || --f->users)
        return;
    Py_XDECREF(f->weak);
    tt_py_bundle_drop(&f->bundle);
    PyMem_Free(f);
}

static struct tt_py_function *find_function(struct tt_py_queue *q, PyObject *f)
{
    for (unsigned i = 0; i < TT_PY_SLOTS && q->functions[i]; i++) {
        struct tt_py_function *known = q->functions[i];
        if (known->key == f && tt_py_refers(known->weak, f))
            return known;
    }
    return NULL;
}

/* Pickles `f`. A function of __main__ goes with its globals, which it shares
 * with others there. */
static struct tt_py_function *make_function(struct tt_py_queue *q, PyObject *f)
{
    struct tt_py_function *made = PyMem_Calloc(1, sizeof *made);
    if (!made) {
        PyErr_NoMemory();
        return NULL;
    }
    made->users = 1;
    made->key = f;
    made->number = ++q->pickled;
    made->slot = TT_PY_SLOTS;
    if (tt_py_bundle_dump(&made->bundle, q->state, f, q->dump) == 0)
        return made;
    tt_py_function_drop(made);
    return NULL;
}

/* The function `f`, pickled once as long as it lives, if it may; with a user
 * more. */
static struct tt_py_function *function_of(struct tt_py_queue *q, PyObject *f)
{
    bool kept = keeps(f);
    struct tt_py_function *made = kept ? find_function(q, f) : NULL;
    if (made) {
        made->users++;
        return made;
    }
    PyObject *seen = kept ? PyObject_CallMethod(q->jobs, "seen", "O", f) : NULL;
    Py_XDECREF(seen);
    made = kept && !seen ? NULL : make_function(q, f);
    if (!made || !kept)
        return made;
    made->weak = PyWeakref_NewRef(f, NULL);
    if (!made->weak) {
        PyErr_Clear();
        return made;
    }
    made->slot = q->slot++ % TT_PY_SLOTS;
    struct tt_py_function *old = q->functions[made->slot];
    q->functions[made->slot] = made;
    made->users++;
    tt_py_function_drop(old); /* its end may submit something */
    return made;
}

void tt_py_cell_drop(struct tt_py_cell *cell)
{
    if (!cell || --cell->users)
        return;
    Py_XDECREF(cell->value);
    PyMem_Free(cell);
}

void tt_py_errand_drop(struct tt_py_errand *errand)
{
    Py_XDECREF(errand->owner);
    tt_py_bundle_drop(&errand->args);
    Py_XDECREF(errand->refusal);
    tt_py_function_drop(errand->f);
    tt_py_cell_drop(errand->cell);
}

/* Takes the exception that is raised as the outcome, if it is the value's. */
static int refuse(struct tt_py_queue *q, struct tt_py_errand *errand,
                  PyObject *f, const char *part)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) ||
        tt_py_struck(q->state))
        return -1;
    PyObject *error = PyErr_GetRaisedException(), *crew = tt_py_crew(q->state);
    if (crew)
        errand->refusal =
            PyObject_CallMethod(crew, "refused", "sOO", part, f, error);
    Py_DECREF(error);
    errand->state = TT_PY_CANCELLED;
    return errand->refusal ? 0 : -1;
}

/* Pickles f(*args, **kwargs). */
static int pack(struct tt_py_queue *q, struct tt_py_errand *errand, PyObject *f,
                PyObject *args, PyObject *kwargs)
{
    bool keys = kwargs != Py_None && PyDict_GET_SIZE(kwargs);
    errand->f = function_of(q, f);
    if (!errand->f)
        return refuse(q, errand, f, "the function");
    errand->kind = keys ? TT_PY_CALL_KEYS : TT_PY_CALL;
    PyObject *all = keys ? PyTuple_Pack(2, args, kwargs)
                         : tt_py_bundle_bulks(q->state, args);
    int bad = -1;
    if (all)
        bad = tt_py_bundle_dump(&errand->args, q->state, all, q->dump);
    Py_XDECREF(all);
    return bad ? refuse(q, errand, f, "an argument of") : 0;
}

/* Adds the errand, whose references it takes. `helped`: this thread is going
 * to wait for it. Nothing between the two steps lets another thread in, and
 * pickling may have let one in that closed the queue. */
static int add(struct tt_py_queue *q, struct tt_py_errand *errand, bool helped)
{
    PyObject *id = NULL, *number = NULL;
    tutti_status status = TUTTI_EMEM;
    if (!tt_py_queue_takes(q) ||
        tt_py_backlog_add(&q->backlog, errand, &errand->number)) {
        tt_py_errand_drop(errand);
        return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
    }
    q->open++;
    status = tutti_run_extend(q->run, 1, helped);
    if (status)
        tt_py_raise_status(q->state, status);
    if (errand->owner && (id = PyLong_FromVoidPtr(errand->owner)) &&
        (number = PyLong_FromSize_t(errand->number)))
        PyDict_SetItem(q->numbers, id, number);
    Py_XDECREF(id);
    Py_XDECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

/* submit(task, f, args=(), kwargs=None) and call(f, ...), without the task. */
int tt_py_errand_send(struct tt_py_queue *q, struct tt_py_errand *errand,
                      PyObject *const *args, Py_ssize_t n, bool helped)
{
    PyObject *given = NULL, *kwargs = n > 2 ? args[2] : Py_None;
    int bad = -1;
    if (n < 1 || n > 3)
        PyErr_SetString(PyExc_TypeError, "expected f, args=(), kwargs=None");
    else if (kwargs != Py_None && !PyDict_Check(kwargs))
        PyErr_Format(PyExc_TypeError, "kwargs must be a dict, got %s",
                     Py_TYPE(kwargs)->tp_name);
    else if (tt_py_queue_takes(q))
        given = n > 1 ? PySequence_Tuple(args[1]) : PyTuple_New(0);
    if (given)
        bad = pack(q, errand, args[0], given, kwargs);
    Py_XDECREF(given);
    if (!bad)
        return add(q, errand, helped);
    tt_py_errand_drop(errand);
    return -1;
}
