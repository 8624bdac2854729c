/* A matrix times a vector: tiles of rows times chunks of columns, a chunk in
 * blocks. A chunk has a power of two of blocks, so that the tree of blocks is
 * the same at any. */
#include "algo/linalg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "kernel/builtin/dots.h"

/* Rows that share the vector while it is in the nearest cache. */
#define ROWS 8
/* Elements of a tile of short rows, and how many these are at most; */
#define TILE 16384
#define ROWS_MOST 128
/* rows that are shorter still are turned into columns. */
#define SHORT 16
/* Rows of a tile that lies by columns: many, for long runs in memory, but not
 * all in one task. */
#define RUN_LEAST 64
#define RUN_TILES 16

#define TASKS 4096 /* at most, where columns are cut */
#define ENOUGH 256 /* tiles that need no more tasks, */
#define LONGEST 64 /* if they have no more blocks */

struct matvec {
    tutti_type type;
    size_t size, block; /* bytes of an element; columns of a block */
    tutti_matrix a, x;
    bool by_columns;
    size_t tile;          /* rows */
    size_t chunk, chunks; /* blocks; chunks of a row */
    char *sums;           /* a row of a.rows for each chunk */
    tt_pair add;
};

static void dot(tutti_type type, void *sum, const void *a, const void *b,
                size_t n)
{
    const struct tt_dots *dots = tt_dots();
    switch (type) {
    case TUTTI_F64:
        *(double *)sum = dots->f64(a, b, n);
        break;
    case TUTTI_F32:
        *(float *)sum = dots->f32(a, b, n);
        break;
    case TUTTI_I64:
        *(uint64_t *)sum = dots->i64(a, b, n);
        break;
    default:
        *(uint32_t *)sum = dots->i32(a, b, n);
    }
}

static void dot_columns(tutti_type type, void *sums, const void *a,
                        ptrdiff_t step, const void *x, size_t rows, size_t n)
{
    const struct tt_dots *dots = tt_dots();
    switch (type) {
    case TUTTI_F64:
        dots->columns_f64(sums, a, step, x, rows, n);
        break;
    case TUTTI_F32:
        dots->columns_f32(sums, a, step, x, rows, n);
        break;
    case TUTTI_I64:
        dots->columns_i64(sums, a, step, x, rows, n);
        break;
    default:
        dots->columns_i32(sums, a, step, x, rows, n);
    }
}

/* The first element of a block of columns, from a row on. */
static tutti_matrix tile_of(const struct matvec *m, size_t row, size_t rows,
                            size_t column, size_t columns)
{
    tutti_matrix tile = m->a;
    tile.data = (char *)tile.data + (ptrdiff_t)row * tile.row_stride +
                (ptrdiff_t)column * tile.column_stride;
    tile.rows = rows;
    tile.columns = columns;
    return tile;
}

/* The sums of one block of columns. */
static void run_block(const struct matvec *m, size_t row, size_t rows,
                      size_t block, char *sums)
{
    _Alignas(64) char a_buffer[TT_SUM_BLOCK], x_buffer[TT_SUM_BLOCK];
    size_t size = m->size, first = block * m->block;
    size_t left = m->a.columns - first;
    size_t n = left < m->block ? left : m->block;
    const void *x = tt_linalg_read(m->x, size, first, n, x_buffer);
    tutti_matrix a = tile_of(m, row, rows, first, n);
    bool far = n * size > TT_SUM_BLOCK / 2 &&
               m->a.rows * m->a.columns * size > TT_LINALG_FAR;
    if (m->by_columns) {
        dot_columns(m->type, sums, a.data, a.column_stride / (ptrdiff_t)size, x,
                    rows, n);
    } else if (n <= SHORT) {
        const void *turned =
            tt_linalg_read(tt_linalg_transpose(a), size, 0, rows * n, a_buffer);
        dot_columns(m->type, sums, turned, (ptrdiff_t)rows, x, rows, n);
    } else {
        for (size_t r = 0; r < rows; r++, sums += size) {
            const char *y = tt_linalg_read(a, size, r * n, n, a_buffer);
            if (far && y != a_buffer)
                tt_linalg_ahead(r + 1 < rows ? y + m->a.row_stride
                                             : y + n * size,
                                n * size);
            dot(m->type, sums, y, x, n);
        }
    }
}

/* Those of blocks [begin, end), in the tree of tutti_reduce(). */
static void run_blocks(const struct matvec *m, size_t row, size_t rows,
                       size_t begin, size_t end, char *sums)
{
    _Alignas(64) char right[TT_DOT_ROWS * sizeof(double)];
    size_t half = 1;
    if (end - begin == 1) {
        run_block(m, row, rows, begin, sums);
        return;
    }
    while (half * 2 < end - begin)
        half *= 2;
    run_blocks(m, row, rows, begin, begin + half, sums);
    run_blocks(m, row, rows, begin + half, end, right);
    m->add(sums, sums, right, rows, false);
}

static size_t blocks_of(const struct matvec *m)
{
    return m->a.columns > m->block ? (m->a.columns - 1) / m->block + 1 : 1;
}

static size_t run_tasks(void *context, size_t begin, size_t end,
                        unsigned worker)
{
    const struct matvec *m = context;
    size_t blocks = blocks_of(m);
    (void)worker;
    for (size_t task = begin; task < end; task++) {
        size_t row = task / m->chunks * m->tile, chunk = task % m->chunks;
        size_t rows = m->a.rows - row < m->tile ? m->a.rows - row : m->tile;
        size_t from = chunk * m->chunk;
        size_t to = blocks - from < m->chunk ? blocks : from + m->chunk;
        run_blocks(m, row, rows, from, to,
                   m->sums + (chunk * m->a.rows + row) * m->size);
    }
    return end;
}

static void combine(const struct matvec *m)
{
    size_t rows = m->a.rows, width = rows * m->size;
    for (size_t step = 1; step < m->chunks; step *= 2)
        for (size_t c = 0; c + step < m->chunks; c += 2 * step)
            m->add(m->sums + c * width, m->sums + c * width,
                   m->sums + (c + step) * width, rows, false);
}

static size_t power_of_two(size_t least)
{
    size_t power = 1;
    while (power < least)
        power *= 2;
    return power;
}

static bool by_columns(tutti_matrix a, size_t size)
{
    return a.row_stride == (ptrdiff_t)size && (uintptr_t)a.data % size == 0 &&
           a.column_stride % (ptrdiff_t)size == 0 &&
           (a.column_stride != (ptrdiff_t)size || a.columns == 1);
}

static size_t clamp(size_t value, size_t least, size_t most)
{
    return value < least ? least : value > most ? most : value;
}

static size_t tile_rows(const struct matvec *m)
{
    size_t rows = m->a.rows, columns = m->a.columns;
    size_t tile = m->by_columns
                      ? clamp(rows / RUN_TILES, RUN_LEAST, TT_DOT_ROWS)
                      : clamp(TILE / (columns ? columns : 1), ROWS, ROWS_MOST);
    return clamp(rows, 1, tile);
}

/* Chooses the way, tiles and chunks; returns the number of tasks. */
static size_t cut(struct matvec *m)
{
    size_t blocks = blocks_of(m);
    m->by_columns = by_columns(m->a, m->size);
    m->tile = tile_rows(m);
    size_t tiles = (m->a.rows + m->tile - 1) / m->tile;
    bool whole = tiles >= ENOUGH && blocks <= LONGEST;
    size_t least = whole ? blocks : ROWS / m->tile;
    size_t fewest = (size_t)((double)blocks * (double)tiles / TASKS);
    m->chunk = power_of_two(least > fewest ? least : fewest);
    m->chunks = (blocks - 1) / m->chunk + 1;
    return tiles * m->chunks;
}

/* Tasks are as long as their matrix has them. */
static const void *key_of(const struct matvec *m)
{
    static const char keys[64];
    size_t columns = m->chunk * m->block;
    columns = columns < m->a.columns ? columns : m->a.columns;
    return keys + 63 - __builtin_clzll(m->tile * columns | 1);
}

/* Computes into `y` itself, if its elements lie side by side and are nothing
 * else. */
static tutti_status run(struct matvec *m, tutti_matrix y,
                        const tutti_options *options)
{
    size_t tasks = cut(m), rows = m->a.rows;
    bool apart = m->chunks > 1 || tt_linalg_overlaps(y, m->a, m->size) ||
                 tt_linalg_overlaps(y, m->x, m->size);
    void *place = apart ? NULL : tt_linalg_place(y, m->size, 0, rows);
    void *own = place ? NULL : malloc(m->chunks * rows * m->size + 1);
    if (!place && !own)
        return tt_fail_memory("the sums of rows");
    m->sums = own ? own : place;
    tutti_loop loop = {
        .n = tasks, .body = run_tasks, .context = m, .key = key_of(m)};
    tutti_status status = tutti_loop_run(&loop, options);
    if (!status && own) {
        combine(m);
        tt_linalg_write(y, m->size, 0, rows, own);
    }
    free(own);
    return status;
}

/* names: of y, a and x. */
static tutti_status product(const char *what, const char *const names[3],
                            struct matvec *m, tutti_matrix y,
                            const tutti_options *options)
{
    tutti_status status = tt_linalg_check(what, m->type, options);
    if (!status)
        status = tt_linalg_check_matrix(what, names[0], y, true);
    if (!status)
        status = tt_linalg_check_matrix(what, names[1], m->a, false);
    if (!status)
        status = tt_linalg_check_matrix(what, names[2], m->x, false);
    if (status)
        return status;
    m->size = tutti_type_size(m->type);
    m->block = TT_SUM_BLOCK / m->size;
    m->add = tt_linalg_pair(m->type, TT_PAIR_ADD);
    return run(m, y, options);
}

tutti_status tutti_matvec(tutti_type type, tutti_array y, tutti_matrix a,
                          tutti_array x, const tutti_options *options)
{
    static const char *const names[] = {"y", "a", "x"};
    struct matvec m = {.type = type, .a = a, .x = tt_linalg_row(x, a.columns)};
    return product("tutti_matvec", names, &m, tt_linalg_row(y, a.rows),
                   options);
}

tutti_status tutti_dot(tutti_type type, void *result, tutti_array a,
                       tutti_array b, size_t n, const tutti_options *options)
{
    static const char *const names[] = {"result", "a", "b"};
    double sum; /* room for any type */
    tutti_matrix out = {result ? &sum : NULL, 1, 1, 0, 0};
    struct matvec m = {
        .type = type, .a = tt_linalg_row(a, n), .x = tt_linalg_row(b, n)};
    tutti_status status = product("tutti_dot", names, &m, out, options);
    if (!status)
        memcpy(result, &sum, m.size);
    return status;
}
