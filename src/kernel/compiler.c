#include "kernel/compiler.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "kernel/file.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Where `name` is: as it is given with a slash, else in PATH. */
static bool find_program(const char *name, char path[PATH_MAX])
{
    struct tt_stamp stamp;
    const char *from = getenv("PATH");
    if (strchr(name, '/'))
        from = "";
    else if (from == NULL || *from == 0)
        return false;
    for (;;) {
        int size = (int)strcspn(from, ":");
        int used = snprintf(path, PATH_MAX, "%.*s%s%s", size, from,
                            size > 0 ? "/" : "", name);
        if (used < PATH_MAX && access(path, X_OK) == 0 &&
            tt_file_stamp(path, &stamp))
            return true;
        if (from[size] == 0)
            return false;
        from += size + 1;
    }
}

/* Cuts `line` into words; false if there is none, or too many. */
static bool split(struct tt_compiler *c)
{
    size_t n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(c->line, " \t\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\n", &rest)) {
        if (n == TT_COMPILER_WORDS)
            return false;
        c->words[n++] = word;
    }
    c->words[n] = NULL;
    return n > 0;
}

tutti_status tt_compiler_find(struct tt_compiler *out)
{
    static const char *const names[] = {"cc", "gcc", "clang"};
    char path[PATH_MAX];
    const char *chosen = getenv("CC");
    if (chosen != NULL && *chosen != 0) {
        size_t size = strlen(chosen);
        if (size < sizeof out->line) {
            memcpy(out->line, chosen, size + 1);
            if (split(out) && find_program(out->words[0], path))
                return TUTTI_OK;
        }
        return tt_fail(TUTTI_ESYS,
                       "CC is '%.200s', which is no program in PATH; unset CC "
                       "or name a C compiler",
                       chosen);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!find_program(names[i], path))
            continue;
        strcpy(out->line, names[i]);
        out->words[0] = out->line;
        out->words[1] = NULL;
        return TUTTI_OK;
    }
    return tt_fail(TUTTI_ESYS, "no C compiler: neither cc, gcc nor clang is in "
                               "PATH; install one (Debian: apt-get install "
                               "gcc) or name it in CC");
}

static void add_text(struct tt_sha256 *hash, const char *text)
{
    tt_sha256_add(hash, text, strlen(text) + 1);
}

#if defined(__x86_64__)
static void add_cpu(struct tt_sha256 *hash)
{
    /* Family, model and features; the last are what the system lets programs
     * use. What is masked tells which CPU this thread happens to be on. */
    static const struct {
        unsigned leaf, mask;
    } rows[] = {{0, ~0u}, {1, 0}, {7, ~0u}, {0x80000001, ~0u}};
    unsigned most = __get_cpuid_max(0, NULL);
    unsigned extended = __get_cpuid_max(0x80000000, NULL);
    unsigned a, b, c, d;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].leaf > (rows[i].leaf >> 31 ? extended : most))
            continue;
        __cpuid_count(rows[i].leaf, 0, a, b, c, d);
        unsigned words[] = {a, b & rows[i].mask, c, d};
        tt_sha256_add(hash, words, sizeof words);
        if (rows[i].leaf != 1 || !(c & bit_OSXSAVE))
            continue;
        __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
        tt_sha256_add(hash, &a, sizeof a);
    }
}
#else
static void add_cpu(struct tt_sha256 *hash)
{
    char hex[TT_SHA256_HEX] = "";
    if (tt_file_hash("/sys/devices/system/cpu/cpu0/regs/identification/"
                     "midr_el1",
                     hex))
        add_text(hash, hex);
    unsigned long words[] = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
    tt_sha256_add(hash, words, sizeof words);
}
#endif

void tt_compiler_identify(const struct tt_compiler *compiler,
                          struct tt_sha256 *hash)
{
    static const char *const variables[] = {"CPATH", "C_INCLUDE_PATH",
                                            "LIBRARY_PATH", "COMPILER_PATH",
                                            "GCC_EXEC_PREFIX"};
    for (char *const *word = compiler->words; *word; word++) {
        char path[PATH_MAX];
        struct tt_stamp stamp;
        add_text(hash, *word);
        if (**word == '-' || !find_program(*word, path) ||
            !tt_file_stamp(path, &stamp))
            continue;
        add_text(hash, path);
        tt_sha256_add(hash, &stamp, sizeof stamp);
    }
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        add_text(hash, value ? value : "");
    }
    add_cpu(hash);
}
