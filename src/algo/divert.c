/* The program run again as a zygote: diverted before its main() by libtutti's
 * constructor. Functions may need what other constructors make (C++ has many):
 * where libtutti is a library, whose constructors run early, it only puts
 * itself in main()'s place. */
#define _GNU_SOURCE /* program_invocation_name */
#include "algo/divert.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "algo/object.h"
#include "algo/visit.h"

#define CONTROL 3 /* the descriptor */
#define WORD "--tutti-zygote"
#define OBJECTS_MOST 1024 /* more than a program starts with */

static const ElfW(Dyn) * dynamic_of(const struct tt_object *object)
{
    static const ElfW(Dyn) none = {.d_tag = DT_NULL};
    for (size_t i = 0; i < object->count; i++)
        if (object->parts[i].p_type == PT_DYNAMIC)
            return (const void *)(object->base + object->parts[i].p_vaddr);
    return &none;
}

static const void *table_of(const struct tt_object *object, int64_t tag)
{
    for (const ElfW(Dyn) *d = dynamic_of(object); d->d_tag; d++)
        if (d->d_tag == tag) /* moved by the loader, but not in the vDSO */
            return (const char *)d->d_un.d_ptr +
                   (d->d_un.d_ptr < object->base ? object->base : 0);
    return NULL;
}

/* Whether an object is the one that is needed by `name`. */
static bool is_named(const struct tt_object *object, const char *name)
{
    const char *texts = table_of(object, DT_STRTAB);
    const char *slash = strrchr(object->name, '/');
    for (const ElfW(Dyn) *d = dynamic_of(object); texts && d->d_tag; d++)
        if (d->d_tag == DT_SONAME && strcmp(texts + d->d_un.d_val, name) == 0)
            return true;
    return strcmp(object->name, name) == 0 ||
           (slash && strcmp(slash + 1, name) == 0);
}

/* The objects that are loaded, and which of them the program starts with. */
struct objects {
    struct tt_object all[OBJECTS_MOST];
    bool starts[OBJECTS_MOST];
    size_t count;
};

/* Marks object `i`, what it needs, and what these need. */
static void mark(struct objects *objects, size_t i)
{
    const struct tt_object *object = &objects->all[i];
    const char *texts = table_of(object, DT_STRTAB);
    objects->starts[i] = true;
    for (const ElfW(Dyn) *d = dynamic_of(object); texts && d->d_tag; d++)
        for (size_t k = 0; d->d_tag == DT_NEEDED && k < objects->count; k++)
            if (!objects->starts[k] &&
                is_named(&objects->all[k], texts + d->d_un.d_val))
                mark(objects, k);
}

/* Whether the program starts with the object at `base`. */
static bool starts_with(uintptr_t base)
{
    struct objects *objects = calloc(1, sizeof *objects);
    bool found = false;
    if (!objects)
        return false;
    objects->count = tt_object_list(objects->all, OBJECTS_MOST);
    mark(objects, 0);
    for (size_t i = 0; i < objects->count; i++)
        found |= objects->starts[i] && objects->all[i].base == base;
    free(objects);
    return found;
}

/* Whether /proc/self/exe is the program, and not a loader or an emulator that
 * was told to run it. */
static bool is_own_file(void)
{
    struct tt_object program;
    tt_object_list(&program, 1);
    size_t size = program.count * sizeof(ElfW(Phdr));
    ElfW(Ehdr) head;
    bool own = false;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *parts = malloc(size + 1);
    if (fd >= 0 && parts && pread(fd, &head, sizeof head, 0) == sizeof head &&
        head.e_phnum == program.count &&
        pread(fd, parts, size, (off_t)head.e_phoff) == (ssize_t)size)
        own = memcmp(parts, program.parts, size) == 0;
    free(parts);
    if (fd >= 0)
        close(fd);
    return own;
}

static tutti_status check(void)
{
    struct tt_object here;
    if (getauxval(AT_SECURE))
        return tt_fail(TUTTI_EPLACE,
                       "the program has rights that its user has not (setuid): "
                       "it does not run itself again as a worker process");
    if (!tt_object_at(&here, (uintptr_t)tt_divert_command) ||
        (!here.program && !starts_with(here.base)))
        return tt_fail(TUTTI_EPLACE,
                       "libtutti was loaded while the program ran (dlopen), so "
                       "the program, run again as a worker process, would not "
                       "have it: link the program with libtutti");
    if (!is_own_file())
        return tt_fail(TUTTI_EPLACE,
                       "/proc/self/exe is not this program (a loader or an "
                       "emulator runs it?): it cannot be run again as a worker "
                       "process");
    return TUTTI_OK;
}

/* What does not change while a program runs. */
static struct {
    pthread_once_t once;
    tutti_status status;
    char detail[TT_DETAIL_SIZE];
    char path[4096], build[2 * TT_BUILD_SIZE + 1];
} file = {.once = PTHREAD_ONCE_INIT};

/* This libtutti's. */
static void write_build(char text[2 * TT_BUILD_SIZE + 1])
{
    uint8_t build[TT_BUILD_SIZE];
    tt_object_build(build, (uintptr_t)tt_divert_command);
    for (int i = 0; i < TT_BUILD_SIZE; i++)
        sprintf(text + 2 * i, "%02x", build[i]);
}

static void look_once(void)
{
    ssize_t size = readlink("/proc/self/exe", file.path, sizeof file.path - 1);
    file.path[size > 0 ? size : 0] = '\0';
    write_build(file.build);
    file.status = check();
    if (file.status)
        strcpy(file.detail, tutti_detail());
}

tutti_status tt_divert_command(const char *const **out)
{
    static const char *const command[] = {"/proc/self/exe", WORD, file.path,
                                          file.build, NULL};
    pthread_once(&file.once, look_once);
    if (file.status)
        tt_detail_set(file.detail);
    else
        *out = command;
    return file.status;
}

static void flush(void)
{
    fflush(NULL); /* or every worker would print it */
}

/* In ps, and where the C library tells the program's name. */
static void take_name(char *path)
{
    char *slash = strrchr(path, '/');
    program_invocation_name = path;
    program_invocation_short_name = slash ? slash + 1 : path;
    prctl(PR_SET_NAME, program_invocation_short_name);
}

/* The file may have been replaced while the program ran: what the two say to
 * each other need not be the same then. */
static void check_build(const char *wanted)
{
    char build[2 * TT_BUILD_SIZE + 1];
    write_build(build);
    if (strcmp(build, wanted) == 0)
        return;
    fprintf(stderr,
            "%s: libtutti was replaced while the program ran: no worker "
            "processes; start the program again\n",
            program_invocation_short_name);
    _exit(1);
}

/* rand() and its like differ between workers. */
static void seed(void)
{
    unsigned seeds[2] = {(unsigned)getpid(), (unsigned)getpid()};
    ssize_t n = getrandom(seeds, sizeof seeds, GRND_NONBLOCK);
    (void)n; /* then the pid it is */
    srandom(seeds[0]);
    srand48((long)seeds[1]);
}

static int serve(int argc, char **argv, char **environment)
{
    (void)environment;
    if (argc > 2)
        take_name(argv[2]);
    check_build(argc > 3 ? argv[3] : "");
    int channel = tutti_zygote_serve(CONTROL, flush, NULL, NULL);
    if (channel < 0)
        _exit(0);
    seed();
    _exit(tutti_worker_serve(channel, &tt_visit) ? 1 : 0);
}

/* glibc's, called by the first code of the program with main(). */
typedef int (*start_fn)(int (*main)(int, char **, char **), int argc,
                        char **argv, void (*init)(void), void (*fini)(void),
                        void (*end)(void), void *stack);
static start_fn start;

static int start_diverted(int (*main)(int, char **, char **), int argc,
                          char **argv, void (*init)(void), void (*fini)(void),
                          void (*end)(void), void *stack)
{
    (void)main;
    return start(serve, argc, argv, init, fini, end, stack);
}

/* Replaces what the program calls as __libc_start_main(). A slot that is not
 * bound yet may hold what only its own jump can call (aarch64). */
static bool replace(uintptr_t slot)
{
    uintptr_t page = slot & -(uintptr_t)sysconf(_SC_PAGESIZE);
    start_fn diverted = start_diverted;
    void *found = dlsym(RTLD_DEFAULT, "__libc_start_main");
    if (!found || mprotect((void *)page, slot + sizeof diverted - page,
                           PROT_READ | PROT_WRITE) != 0)
        return false;
    memcpy(&start, &found, sizeof start);
    memcpy((void *)slot, &diverted, sizeof diverted);
    return true;
}

/* Looks for that call in a table of relocations of the program. */
static bool replace_in(const struct tt_object *object, int64_t tag,
                       int64_t size_tag)
{
    const ElfW(Rela) *move = table_of(object, tag);
    const ElfW(Sym) *symbols = table_of(object, DT_SYMTAB);
    const char *texts = table_of(object, DT_STRTAB);
    size_t size = 0;
    for (const ElfW(Dyn) *d = dynamic_of(object); d->d_tag; d++)
        if (d->d_tag == size_tag)
            size = d->d_un.d_val;
    if (!move || !symbols || !texts)
        return false;
    for (size_t i = 0; i < size / sizeof *move; i++) {
        const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(move[i].r_info)];
        if (strcmp(texts + symbol->st_name, "__libc_start_main") == 0)
            return replace(object->base + move[i].r_offset);
    }
    return false;
}

static bool replace_main(void)
{
    struct tt_object program;
    tt_object_list(&program, 1);
    return replace_in(&program, DT_RELA, DT_RELASZ) ||
           replace_in(&program, DT_JMPREL, DT_PLTRELSZ);
}

/* Whether this is a zygote: nobody else has such a descriptor and says so, and
 * who has other rights than the one who says so does not listen. */
static bool is_meant(int argc, char **argv)
{
    int type = 0;
    socklen_t size = sizeof type;
    return argc > 1 && strcmp(argv[1], WORD) == 0 && !getauxval(AT_SECURE) &&
           getsockopt(CONTROL, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_SEQPACKET;
}

/* glibc hands main()'s arguments to constructors, too. */
__attribute__((constructor)) static void divert(int argc, char **argv,
                                                char **environment)
{
    struct tt_object here;
    if (!is_meant(argc, argv))
        return;
    bool library =
        tt_object_at(&here, (uintptr_t)tt_divert_command) && !here.program;
    if (!library || !replace_main())
        serve(argc, argv, environment);
}
