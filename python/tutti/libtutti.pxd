# libtutti for Cython: `from tutti.libtutti cimport tutti_for, ...`; link with
# `pkg-config --libs tutti`. What each does stands in the C headers. Bodies run
# in several threads without the interpreter's lock: `noexcept nogil`.
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "tutti.h" nogil:
    ctypedef enum tutti_status:
        TUTTI_OK
        TUTTI_EARG
        TUTTI_EMEM
        TUTTI_ESYS
        TUTTI_EPLACE
        TUTTI_ETASK
        TUTTI_ELOST
        TUTTI_ETIME
        TUTTI_ECANCEL

    const char *tutti_detail()
    const char *tutti_version()

    ctypedef struct tutti_report:
        uint32_t size
        size_t n, done, ranges
        unsigned lanes, joined
        double wall, user

    ctypedef int (*tutti_progress)(void *arg, size_t done, size_t n)

    ctypedef struct tutti_options:
        uint32_t size
        const char *on
        unsigned workers
        unsigned retries
        double deadline
        double task_timeout
        size_t item_size
        size_t result_size
        tutti_progress progress
        void *progress_arg
        tutti_report *report

    ctypedef size_t (*tutti_body)(void *context, size_t begin, size_t end,
                                  unsigned worker)

    ctypedef struct tutti_loop:
        size_t n
        size_t unit
        tutti_body body
        void *context
        size_t context_size
        const void *key
        const void *message

    tutti_status tutti_loop_run(const tutti_loop *loop,
                                const tutti_options *options)
    void tutti_task_fail(const char *format, ...)
    unsigned tutti_cpu_count()
    size_t tutti_explain(char *text, size_t size)

    ctypedef struct tutti_array:
        void *data
        ptrdiff_t stride

    ctypedef int (*tutti_map_fn)(const void *item, void *result, void *context)
    ctypedef int (*tutti_for_fn)(size_t index, void *context)

    tutti_status tutti_map(tutti_map_fn f, tutti_array items,
                           tutti_array results, size_t n, void *context,
                           size_t context_size, const tutti_options *options)
    tutti_status tutti_for(tutti_for_fn f, size_t n, void *context,
                           size_t context_size, const tutti_options *options)

    ctypedef struct tutti_fold:
        size_t size
        const void *identity
        int (*range)(void *partial, size_t begin, size_t end, void *context)
        void (*combine)(void *left, const void *right, void *context)

    ctypedef enum tutti_type:
        TUTTI_F64
        TUTTI_F32
        TUTTI_I64
        TUTTI_I32
        TUTTI_U64
        TUTTI_U32

    ctypedef struct tutti_kernel:
        pass

    tutti_status tutti_kernel_open(tutti_kernel **out, const char *text,
                                   const char *signature)
    tutti_status tutti_kernel_text(tutti_kernel **out, const char *source,
                                   const char *name)
    void tutti_kernel_close(tutti_kernel *kernel)
    tutti_status tutti_kernel_map(tutti_kernel *kernel, void *results,
                                  size_t results_width, const void *items,
                                  size_t width, size_t n,
                                  const tutti_options *options)

    ctypedef struct tutti_matrix:
        void *data
        size_t rows, columns
        ptrdiff_t row_stride, column_stride

    tutti_status tutti_sum(tutti_type type, void *result, tutti_matrix x,
                           const tutti_options *options)
    tutti_status tutti_dot(tutti_type type, void *result, tutti_array a,
                           tutti_array b, size_t n,
                           const tutti_options *options)
    tutti_status tutti_matvec(tutti_type type, tutti_array y, tutti_matrix a,
                              tutti_array x, const tutti_options *options)
    tutti_status tutti_matmul(tutti_type type, tutti_matrix c, tutti_matrix a,
                              tutti_matrix b, const tutti_options *options)

    tutti_status tutti_reduce(void *result, const tutti_fold *fold, size_t n,
                              size_t unit, void *context, size_t context_size,
                              const tutti_options *options)

# The initialisers are no expressions: options = tutti_options_init().
cdef extern from * nogil:
    """
    static inline tutti_options tutti_options_init(void)
    {
        tutti_options options = TUTTI_OPTIONS_INIT;
        return options;
    }
    static inline tutti_report tutti_report_init(void)
    {
        tutti_report report = TUTTI_REPORT_INIT;
        return report;
    }
    """
    tutti_options tutti_options_init()
    tutti_report tutti_report_init()
