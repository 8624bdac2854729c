#define _GNU_SOURCE
#include "kernel/kernel.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/load.h"
#include "kernel/file.h"

size_t tutti_type_size(tutti_type type)
{
    static const unsigned char sizes[] = {
        [TUTTI_F64] = 8, [TUTTI_F32] = 4, [TUTTI_I64] = 8,
        [TUTTI_I32] = 4, [TUTTI_U64] = 8, [TUTTI_U32] = 4};
    return (size_t)type < sizeof sizes ? sizes[type] : 0;
}

const char *tutti_type_name(tutti_type type)
{
    static const char *const names[] = {
        [TUTTI_F64] = "float64", [TUTTI_F32] = "float32",
        [TUTTI_I64] = "int64",   [TUTTI_I32] = "int32",
        [TUTTI_U64] = "uint64",  [TUTTI_U32] = "uint32"};
    return tutti_type_size(type) ? names[type] : "?";
}

/* FILE:NAME; the name points into `text`. */
static const char *split(char file[PATH_MAX], const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == 0 ||
        colon - text >= PATH_MAX)
        return NULL;
    memcpy(file, text, (size_t)(colon - text));
    file[colon - text] = 0;
    return colon + 1;
}

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);
    return size > tail && strcmp(text + size - tail, end) == 0;
}

static tutti_status check_text(const char *data, size_t size, const char *file)
{
    if (strlen(data) == size)
        return TUTTI_OK;
    return tt_fail(TUTTI_EARG, "%s is no C text: a zero byte at %zu", file,
                   strlen(data));
}

/* Keeps a source and reads the signature of `name` in it. */
static tutti_status take_source(tutti_kernel *k, const char *data, size_t size,
                                const char *path, bool file, const char *name)
{
    /* A byte order mark is none any more behind a #line. */
    bool marked = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
    data += marked ? 3 : 0;
    size -= marked ? 3 : 0;
    tutti_status status = check_text(data, size, path);
    if (status == TUTTI_OK)
        status = tt_signature_read(&k->signature, data, size, name, path, true);
    if (status != TUTTI_OK)
        return status;
    char *kept = malloc(size + strlen(path) + 2);
    if (kept == NULL)
        return tt_fail_memory("a kernel's text");
    memcpy(kept, data, size + 1);
    strcpy(kept + size + 1, path);
    k->source = (struct tt_source){kept + size + 1, file, kept};
    return TUTTI_OK;
}

/* Makes the entries by which maps run a kernel that has a source. */
static tutti_status make_entries(tutti_kernel *k)
{
    char *extra;
    void *each = NULL, *entry = NULL;
    tutti_status status = tt_wrapper_make(&extra, &k->signature);
    if (status != TUTTI_OK)
        return status;
    if (k->signature.each)
        status = tt_kernel_build(k, extra, false, TT_WRAPPER_EACH, &each);
    if (status == TUTTI_OK && k->signature.form != TUTTI_FORM_EACH)
        status = tt_kernel_build(k, extra, false, TT_WRAPPER_ENTRY, &entry);
    free(extra);
    if (status != TUTTI_OK)
        return status;
    *(void **)&k->entry = entry;
    *(void **)&k->each = each;
    return TUTTI_OK;
}

static tutti_status open_source(tutti_kernel *k, const char *file,
                                const char *name)
{
    char *data;
    size_t size;
    tutti_status status = tt_file_read(&data, &size, file);
    if (status != TUTTI_OK)
        return status;
    status = take_source(k, data, size, file, true, name);
    free(data);
    return status == TUTTI_OK ? make_entries(k) : status;
}

/* dlopen() searches the system's folders for a name without a slash: a file
 * here comes first. */
static void *open_library(const char *file)
{
    char path[PATH_MAX + 2];
    bool here = strchr(file, '/') == NULL && access(file, F_OK) == 0;
    snprintf(path, sizeof path, "%s%s", here ? "./" : "", file);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* Whether an address is known to be data. */
static bool is_data(void *address)
{
    Dl_info info;
    ElfW(Sym) *symbol = NULL;
    if (!dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) ||
        symbol == NULL || info.dli_saddr != address)
        return false;
    return (symbol->st_info & 15) == STT_OBJECT;
}

static tutti_status find_native(tutti_kernel *k, const char *file,
                                const char *name)
{
    k->library = open_library(file);
    if (k->library == NULL)
        return tt_fail(TUTTI_ESYS, "cannot load %.200s: %.250s", file,
                       dlerror());
    void *address = dlsym(k->library, name);
    if (address != NULL && !is_data(address)) {
        *(void **)&k->function = address;
        return TUTTI_OK;
    }
    return tt_fail(TUTTI_EARG,
                   "%.200s exports no function '%.100s'; "
                   "`nm -D` lists those it has",
                   file, name);
}

static tutti_status open_native(tutti_kernel *k, const char *file,
                                const char *name, const char *signature)
{
    if (signature == NULL)
        return tt_fail(TUTTI_EARG,
                       "%.200s:%.100s needs its C signature, such as "
                       "'double %.100s(double x)'",
                       file, name, name);
    tutti_status status = tt_signature_read(
        &k->signature, signature, strlen(signature), name, "signature", false);
    if (status == TUTTI_OK)
        status = tt_load_begin();
    if (status != TUTTI_OK)
        return status;
    status = find_native(k, file, name);
    tt_load_end();
    k->entry = tt_native_entry(&k->signature);
    return status;
}

/* The place of a name in a signature: right before its first parenthesis, or
 * where "(*)" stands instead. */
static tutti_status name_it(char *out, size_t room, const char *signature)
{
    const char *open = strchr(signature, '('), *rest = open;
    size_t size = open ? (size_t)(open - signature) : 0;
    if (open && open[1 + strspn(open + 1, " ")] == '*') {
        rest = strchr(open, ')');
        rest = rest ? rest + 1 : NULL;
    }
    if (rest == NULL || size + strlen(rest) + sizeof " f" > room)
        return tt_fail(TUTTI_EARG,
                       "'%.200s' is no signature: expected one such as "
                       "'double (double)'",
                       signature);
    snprintf(out, room, "%.*s f%s", (int)size, signature, rest);
    return TUTTI_OK;
}

static tutti_status read_native(struct tt_signature *out, const char *signature)
{
    char text[1024], name[TT_SIGNATURE_NAME] = "f";
    if (tt_signature_name(name, signature))
        return tt_signature_read(out, signature, strlen(signature), name,
                                 "signature", false);
    tutti_status status = name_it(text, sizeof text, signature);
    if (status == TUTTI_OK)
        status = tt_signature_read(out, text, strlen(text), name, "signature",
                                   false);
    return status;
}

static tutti_status open_text(tutti_kernel *k, const char *text,
                              const char *signature)
{
    char file[PATH_MAX];
    const char *name = split(file, text);
    if (name == NULL)
        return tt_fail(TUTTI_EARG,
                       "'%.200s' is no function: expected FILE.c:NAME or "
                       "LIB.so:NAME",
                       text);
    if (ends_in(file, ".c") && signature != NULL)
        return tt_fail(TUTTI_EARG,
                       "%.200s has its signature in its source; give one for "
                       "LIB.so:NAME only",
                       text);
    if (ends_in(file, ".c"))
        return open_source(k, file, name);
    if (ends_in(file, ".so") || strstr(file, ".so."))
        return open_native(k, file, name, signature);
    return tt_fail(TUTTI_EARG,
                   "'%.200s' is neither C source nor a shared library: "
                   "expected FILE.c:NAME or LIB.so:NAME",
                   text);
}

static tutti_status finish(tutti_kernel **out, tutti_kernel *k,
                           tutti_status status)
{
    if (status == TUTTI_OK)
        *out = k;
    else
        tutti_kernel_close(k);
    return status;
}

tutti_status tutti_kernel_open(tutti_kernel **out, const char *text,
                               const char *signature)
{
    if (text == NULL)
        return tt_fail(TUTTI_EARG,
                       "no function was named: expected FILE.c:NAME "
                       "or LIB.so:NAME");
    tutti_kernel *k = calloc(1, sizeof *k);
    if (k == NULL)
        return tt_fail_memory("a kernel");
    return finish(out, k, open_text(k, text, signature));
}

tutti_status tutti_kernel_text(tutti_kernel **out, const char *source,
                               const char *name)
{
    if (source == NULL)
        return tt_fail(TUTTI_EARG, "no C text was given");
    tutti_kernel *k = calloc(1, sizeof *k);
    if (k == NULL)
        return tt_fail_memory("a kernel");
    tutti_status status =
        take_source(k, source, strlen(source), "kernel text", false, name);
    return finish(out, k, status == TUTTI_OK ? make_entries(k) : status);
}

tutti_status tutti_kernel_native(tutti_kernel **out, void (*function)(void),
                                 const char *signature, void *user)
{
    if (function == NULL || signature == NULL)
        return tt_fail(TUTTI_EARG, "a %s is needed, which is NULL",
                       function ? "signature" : "function");
    tutti_kernel *k = calloc(1, sizeof *k);
    if (k == NULL)
        return tt_fail_memory("a kernel");
    tutti_status status = read_native(&k->signature, signature);
    k->function = function;
    k->user = user;
    k->entry = status == TUTTI_OK ? tt_native_entry(&k->signature) : NULL;
    return finish(out, k, status);
}

void tutti_kernel_close(tutti_kernel *kernel)
{
    if (kernel == NULL)
        return;
    tt_kernel_unload(kernel);
    tt_load_close(kernel->library);
    free((char *)kernel->source.text);
    free(kernel);
}

void tutti_kernel_describe(const tutti_kernel *kernel, tutti_kernel_info *info)
{
    const struct tt_signature *s = &kernel->signature;
    *info = (tutti_kernel_info){s->name, s->text, s->form, s->item, s->result};
}

size_t tutti_kernel_parameters(const tutti_kernel *kernel, tutti_parameter *out,
                               size_t room)
{
    const struct tt_signature *s = &kernel->signature;
    for (size_t i = 0; i < s->parameters && i < room; i++)
        out[i] = (tutti_parameter){s->parameter[i].type, s->parameter[i].array,
                                   s->parameter[i].array &&
                                       !s->parameter[i].constant};
    return s->parameters;
}
