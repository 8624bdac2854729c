#include "npy.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"

#define MAGIC "\x93NUMPY"

/* The part of a header that is not read yet. */
struct text {
    const char *at, *end;
};

static const char *const codes[] = {
    [TUTTI_F64] = "<f8", [TUTTI_F32] = "<f4", [TUTTI_I64] = "<i8",
    [TUTTI_I32] = "<i4", [TUTTI_U64] = "<u8", [TUTTI_U32] = "<u4",
};

static void skip_blanks(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
        t->at++;
}

/* Takes `c`, blanks around it allowed. */
static bool take(struct text *t, char c)
{
    skip_blanks(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    skip_blanks(t);
    return true;
}

static bool take_word(struct text *t, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length))
        return false;
    t->at += length;
    return true;
}

/* A quoted string without escapes: what is between the quotes. */
static bool take_string(struct text *t, struct text *out)
{
    skip_blanks(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return false;
    const char *start = t->at + 1;
    const char *end = memchr(start, *t->at, (size_t)(t->end - start));
    if (!end)
        return false;
    *out = (struct text){start, end};
    t->at = end + 1;
    return true;
}

static bool same(const struct text *t, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(t->end - t->at) == length && !memcmp(t->at, word, length);
}

static bool take_size(struct text *t, size_t *out)
{
    size_t value = 0;
    const char *start = t->at;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (size_t)(*t->at - '0'), &value))
            return false;
    *out = value;
    return t->at > start;
}

/* "(3,)", "(3, 4)": the sizes of up to two dimensions, all counted. */
static bool take_shape(struct text *t, struct cli_npy *npy)
{
    size_t sizes[2] = {1, 1}, more;
    npy->dims = 0;
    if (!take(t, '('))
        return false;
    while (!take(t, ')')) {
        if (!take_size(t, npy->dims < 2 ? &sizes[npy->dims] : &more))
            return false;
        npy->dims++;
        if (!take(t, ',') && (t->at == t->end || *t->at != ')'))
            return false;
    }
    npy->rows = sizes[0];
    npy->columns = sizes[1];
    return true;
}

/* The dict of the header. `descr` is what stands there for the type. */
static bool take_dict(struct text *t, struct cli_npy *npy, struct text *descr,
                      bool *fortran)
{
    enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
    unsigned seen = 0;
    struct text key;
    if (!take(t, '{'))
        return false;
    while (!take(t, '}')) {
        if (!take_string(t, &key) || !take(t, ':'))
            return false;
        if (same(&key, "descr") && !(seen & DESCR)) {
            seen |= DESCR;
            if (!take_string(t, descr))
                *descr = (struct text){t->at, t->at};
            if (descr->at == descr->end)
                return true; /* a structured type: no need to read on */
        } else if (same(&key, "fortran_order") && !(seen & ORDER)) {
            seen |= ORDER;
            *fortran = take_word(t, "True");
            if (!*fortran && !take_word(t, "False"))
                return false;
        } else if (same(&key, "shape") && !(seen & SHAPE)) {
            seen |= SHAPE;
            if (!take_shape(t, npy))
                return false;
        } else {
            return false;
        }
        if (!take(t, ',') && (t->at == t->end || *t->at != '}'))
            return false;
    }
    return seen == (DESCR | ORDER | SHAPE) && t->at == t->end;
}

static int find_type(struct cli_npy *npy, const char *name,
                     const struct text *descr)
{
    for (tutti_type type = TUTTI_F64; type <= TUTTI_U32; type++)
        if (same(descr, codes[type])) {
            npy->type = type;
            return CLI_OK;
        }
    int length = (int)(descr->end - descr->at);
    if (length == 0)
        return cli_fail("%s holds records: expected float64, float32, int64, "
                        "int32, uint64 or uint32",
                        name);
    return cli_fail("%s holds '%.*s'%s: expected float64, float32, int64, "
                    "int32, uint64 or uint32, little-endian: convert it, such "
                    "as by a.astype("
                    "\"<f8\")",
                    name, length > 40 ? 40 : length, descr->at,
                    *descr->at == '>' ? " (big-endian)" : "");
}

/* Whether the values are as many as the file has bytes for. */
static int check_size(const struct cli_npy *npy, const char *name, size_t size)
{
    size_t bytes, there = size - npy->offset;
    if (__builtin_mul_overflow(npy->rows, npy->columns, &bytes) ||
        __builtin_mul_overflow(bytes, tutti_type_size(npy->type), &bytes))
        return cli_fail("%s: its shape (%zu, %zu) is more than a file can "
                        "hold: the header is corrupt, write it again",
                        name, npy->rows, npy->columns);
    if (there < bytes)
        return cli_fail("%s is truncated: its header says %zu bytes of values "
                        "and %zu are there: write it again",
                        name, bytes, there);
    if (there > bytes)
        return cli_fail("%s has %zu bytes behind its array: expected one "
                        "array a file",
                        name, there - bytes);
    return CLI_OK;
}

static int check_dict(struct cli_npy *npy, const char *name, struct text *dict,
                      size_t size)
{
    struct text descr = {NULL, NULL};
    bool fortran = false;
    if (!take_dict(dict, npy, &descr, &fortran))
        return cli_fail("%s: its .npy header is corrupt: write the file again "
                        "with numpy.save",
                        name);
    int status = find_type(npy, name, &descr);
    if (status)
        return status;
    if (npy->dims < 1 || npy->dims > 2)
        return cli_fail("%s has %u dimensions: expected 1 or 2: reshape it, "
                        "such as by a.reshape(len(a), -1)",
                        name, npy->dims);
    if (fortran && npy->dims == 2)
        return cli_fail("%s is in Fortran order: expected C order: write "
                        "numpy.ascontiguousarray(a)",
                        name);
    return check_size(npy, name, size);
}

int cli_npy_parse(struct cli_npy *out, const char *name, const void *data,
                  size_t size)
{
    const unsigned char *bytes = data;
    if (size < 10 || memcmp(bytes, MAGIC, 6))
        return cli_fail("%s is not a .npy file: expected one that numpy.save "
                        "wrote (lines of text: name it .txt)",
                        name);
    size_t start = bytes[6] == 1 ? 10 : 12;
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] < 1 || bytes[6] > 3)
        return cli_fail("%s has .npy format %u.%u: expected 1.0, 2.0 or 3.0",
                        name, bytes[6], bytes[7]);
    if (start == 12 && size >= 12)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size < start || size - start < length)
        return cli_fail("%s is truncated: it ends within its header: write it "
                        "again",
                        name);
    const char *text = (const char *)bytes + start;
    struct text dict = {text, text + length};
    struct cli_npy npy = {.offset = start + length};
    int status = check_dict(&npy, name, &dict, size);
    if (status == CLI_OK)
        *out = npy;
    return status;
}

size_t cli_npy_header(char *out, const struct cli_npy *npy)
{
    char shape[64];
    if (npy->dims == 1)
        snprintf(shape, sizeof shape, "(%zu,)", npy->rows);
    else
        snprintf(shape, sizeof shape, "(%zu, %zu)", npy->rows, npy->columns);
    int used = snprintf(out + 10, CLI_NPY_ROOM - 10,
                        "{'descr': '%s', 'fortran_order': False, 'shape': "
                        "%s, }",
                        codes[npy->type], shape);
    size_t total = (10 + (size_t)used + 1 + 63) / 64 * 64;
    memset(out + 10 + used, ' ', total - 10 - (size_t)used - 1);
    out[total - 1] = '\n';
    memcpy(out, MAGIC "\1", 8);
    out[8] = (char)((total - 10) & 255);
    out[9] = (char)((total - 10) >> 8);
    return total;
}
