/* Kernels as objects. */
#ifndef TT_PY_KERNEL_H
#define TT_PY_KERNEL_H

#include "array.h"
#include "face.h"

/* tutti._tutti.Kernel: what tutti._kernel.Kernel stands on. */
struct tt_py_kernel {
    PyObject_HEAD struct tt_py_state *state;
    tutti_kernel *kernel;
    tutti_kernel_info info;
    PyObject *keep; /* whose function it is, or None */
};

/* A number of Python's as a value of a type; -1: an exception, which calls it
 * `name`. */
int tt_py_number_take(tutti_type type, PyObject *object, void *out,
                      const char *name);
PyObject *tt_py_number_make(tutti_type type, const void *value);

/* A loop of C that a thread of Python's waits for: without the interpreter's
 * lock; signals are looked at, and a bar is drawn. */
struct tt_py_wait {
    tutti_options options;
    PyObject *bar;   /* callable, or NULL */
    PyObject *error; /* what ended it; or NULL */
};

/* As tt_py_how_read(); a bar or None. */
int tt_py_wait_read(struct tt_py_wait *wait, PyObject *on, PyObject *workers,
                    PyObject *bar);
/* After the loop: 0, or -1 with the exception of what it ended with. */
int tt_py_wait_end(struct tt_py_wait *wait, struct tt_py_state *state,
                   tutti_status status);

#endif
