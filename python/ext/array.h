/* An object's buffer as an array of numbers. */
#ifndef TT_PY_ARRAY_H
#define TT_PY_ARRAY_H

#include "compat.h"

#include <tutti.h>

/* Sets of types. */
#define TT_PY_TYPE(type) (1u << (type))
#define TT_PY_FLOATS (TT_PY_TYPE(TUTTI_F64) | TT_PY_TYPE(TUTTI_F32))
#define TT_PY_SIGNED (TT_PY_TYPE(TUTTI_I64) | TT_PY_TYPE(TUTTI_I32))
#define TT_PY_UNSIGNED (TT_PY_TYPE(TUTTI_U64) | TT_PY_TYPE(TUTTI_U32))
#define TT_PY_NUMBERS (TT_PY_FLOATS | TT_PY_SIGNED | TT_PY_UNSIGNED)

struct tt_py_array {
    char *data; /* element 0, 0, ...; at any address, aligned or not */
    tutti_type type;
    int ndim;                        /* 0: one element */
    const Py_ssize_t *shape;         /* ndim of them */
    const Py_ssize_t *strides;       /* bytes; may be negative, or 0 */
    size_t size;                     /* elements */
    Py_buffer view;                  /* keeps the memory */
    Py_ssize_t made[PyBUF_MAX_NDIM]; /* strides, where the object has none */
};

/* Reads `object`, whatever has a buffer: NumPy's arrays and scalars, array,
 * memoryview, ctypes.
 *
 * types:    the TT_PY_TYPE()s that are accepted.
 * writable: it must be.
 * name:     of the argument, for sentences: "tutti.linalg.dot: a".
 * Returns 0, or -1 with a TypeError (no buffer, other elements, other byte
 * order, a masked array) or a ValueError (read-only); then `array` may be
 * dropped, too. Until tt_py_array_drop() the object cannot be resized. With the
 * interpreter's lock, both; what lies between may be without. */
int tt_py_array_get(struct tt_py_array *array, PyObject *object, unsigned types,
                    bool writable, const char *name);

/* `array` was read, or begins as {0}. */
void tt_py_array_drop(struct tt_py_array *array);

/* Whether elements lie side by side in C's order. */
bool tt_py_array_contiguous(const struct tt_py_array *array);

#endif
