/* tutti._tutti.marks(values, begin): an iterator over the results of a worker
 * for the pickler, which says before each one that it is that of a task, from
 * `begin` on: what it does to its process is put down to that task.
 *
 * The pickler fetches two items before it takes the first of a batch, so the
 * first of each is an idle one; see tutti._wire.bare. */
#include "face.h"

#define BATCH 1000 /* the pickler's; another one only blurs the names */

struct marks {
    PyObject_HEAD PyObject *values; /* a list */
    size_t begin;
    Py_ssize_t next, in_batch;
};

static PyObject *marks_next(struct marks *marks)
{
    if (marks->next >= PyList_GET_SIZE(marks->values))
        return NULL;
    if (marks->in_batch++ == 0)
        Py_RETURN_NONE;
    if (marks->in_batch == BATCH)
        marks->in_batch = 0;
    tutti_worker_at(marks->begin + (size_t)marks->next);
    return Py_NewRef(PyList_GET_ITEM(marks->values, marks->next++));
}

static PyObject *marks_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *values;
    Py_ssize_t begin;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &values, &begin))
        return NULL;
    struct marks *marks = (struct marks *)type->tp_alloc(type, 0);
    if (marks) {
        marks->values = Py_NewRef(values);
        marks->begin = (size_t)begin;
    }
    return (PyObject *)marks;
}

static void marks_dealloc(struct marks *marks)
{
    PyTypeObject *type = Py_TYPE(marks);
    Py_XDECREF(marks->values);
    type->tp_free(marks);
    Py_DECREF(type);
}

/* Items that the pickler takes at a time. */
static PyObject *get_batch(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    return PyLong_FromLong(BATCH);
}

static PyGetSetDef marks_getset[] = {
    {"batch", get_batch, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot marks_slots[] = {
    {Py_tp_new, marks_new},          {Py_tp_dealloc, marks_dealloc},
    {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, marks_next},
    {Py_tp_getset, marks_getset},    {0, NULL},
};

PyType_Spec tt_py_marks_spec = {
    .name = "tutti._tutti.marks",
    .basicsize = sizeof(struct marks),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = marks_slots,
};
