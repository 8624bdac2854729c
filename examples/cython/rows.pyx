# cython: language_level=3, boundscheck=False, wraparound=False
"""A matrix times a vector, its rows shared by libtutti's workers.

The same loop with Cython's prange needs OpenMP, and a place of its own to run:
here `on` says where, and without it tutti takes more workers only when that
pays.
"""

from tutti.libtutti cimport (TUTTI_OK, tutti_detail, tutti_loop,
                             tutti_loop_run, tutti_options, tutti_options_init,
                             tutti_status)


cdef struct Product:
    const double *a
    const double *x
    double *y
    size_t columns
    int *worker


cdef size_t multiply(void *context, size_t begin, size_t end,
                     unsigned worker) noexcept nogil:
    cdef Product *p = <Product *>context
    cdef size_t i, j
    cdef double total
    for i in range(begin, end):
        total = 0
        for j in range(p.columns):
            total += p.a[i * p.columns + j] * p.x[j]
        p.y[i] = total
        p.worker[i] = <int>worker
    return end


def matvec(const double[:, ::1] a, const double[::1] x, double[::1] y,
           int[::1] worker, str on="auto"):
    """y = a x; worker[i] is the number of the one that did row i."""
    if x.shape[0] != a.shape[1] or y.shape[0] != a.shape[0] or \
            worker.shape[0] != a.shape[0]:
        raise ValueError("a is %d x %d: x needs %d, y and worker %d values" % (
            a.shape[0], a.shape[1], a.shape[1], a.shape[0]))
    if a.shape[0] == 0 or a.shape[1] == 0:
        y[:] = 0
        return
    cdef Product product
    product.a, product.x, product.y = &a[0, 0], &x[0], &y[0]
    product.columns, product.worker = a.shape[1], &worker[0]

    cdef bytes place = on.encode()
    cdef tutti_options options = tutti_options_init()
    options.on = place

    cdef tutti_loop loop
    loop.n, loop.unit, loop.body = a.shape[0], 1, multiply
    loop.context, loop.context_size = &product, 0
    loop.key, loop.message = NULL, NULL

    cdef tutti_status status
    with nogil:
        status = tutti_loop_run(&loop, &options)
    if status != TUTTI_OK:
        raise RuntimeError(tutti_detail().decode())
