/* What tutti wants of an OpenBLAS, slow and watchful. Built with NAME(x), the
 * names; INTEGER, its integers; CORE, its kernels; PARALLEL, 1 or 2: OpenMP. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define ALL 4

static _Atomic int threads = ALL, calls, crowded;
#if PARALLEL == 2
static _Thread_local int mine = ALL;
#else
#define mine threads
#endif

int fake_calls(void);
int fake_crowded(void);
int fake_threads(void);
const char *NAME(openblas_get_corename)(void);
const char *NAME(openblas_get_config)(void);
int NAME(openblas_get_parallel)(void);
int NAME(openblas_get_num_threads)(void);
void NAME(openblas_set_num_threads)(int n);
int omp_get_max_threads(void);
void omp_set_num_threads(int n);

int fake_calls(void)
{
    return calls;
}

/* Calls that had more than one thread. */
int fake_crowded(void)
{
    return crowded;
}

int fake_threads(void)
{
    return mine;
}

const char *NAME(openblas_get_corename)(void)
{
    return CORE;
}

const char *NAME(openblas_get_config)(void)
{
    return CONFIG;
}

int NAME(openblas_get_parallel)(void)
{
    return PARALLEL;
}

int NAME(openblas_get_num_threads)(void)
{
    return threads;
}

void NAME(openblas_set_num_threads)(int n)
{
    threads = n;
}

int omp_get_max_threads(void)
{
    return mine;
}

void omp_set_num_threads(int n)
{
    mine = n;
}

#define GEMM(name, real) \
    void name(int order, int lie_a, int lie_b, INTEGER m, INTEGER n, \
              INTEGER k, real alpha, const real *a, INTEGER step_a, \
              const real *b, INTEGER step_b, real beta, real *c, \
              INTEGER step_c); \
    void name(int order, int lie_a, int lie_b, INTEGER m, INTEGER n, \
              INTEGER k, real alpha, const real *a, INTEGER step_a, \
              const real *b, INTEGER step_b, real beta, real *c, \
              INTEGER step_c) \
    { \
        calls++; \
        crowded += mine != 1 || order != 101; \
        for (INTEGER i = 0; i < m; i++) \
            for (INTEGER j = 0; j < n; j++) { \
                real sum = 0; \
                for (INTEGER l = 0; l < k; l++) \
                    sum += a[lie_a == 111 ? i * step_a + l : l * step_a + i] * \
                           b[lie_b == 111 ? l * step_b + j : j * step_b + l]; \
                real *to = &c[i * step_c + j]; \
                *to = alpha * sum + (beta != 0 ? beta * *to : 0); \
            } \
    }

GEMM(NAME(cblas_dgemm), double)
GEMM(NAME(cblas_sgemm), float)
