#define _GNU_SOURCE
#include "core/budget.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tutti/loop.h>

#include "core/clock.h"
#include "core/cpu.h"
#include "core/fork.h"

#define MAGIC 0x3174656764756274u /* "tbudget1" */
#define SLOTS 500
#define NAME "tutti-budget"
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SWEEP_NS 10000000u

/* A slot: start time (26 bits), pid (22), running threads (16); 0: free. It
 * changes by compare-and-exchange only. */
#define COUNT(word) ((unsigned)(word)&0xffff)
#define PID(word) ((pid_t)((word) >> 16 & 0x3fffff))
#define START(ticks) ((uint64_t)(ticks)&0x3ffffff)
#define OWNER(word) ((word) & ~(uint64_t)0xffff)

_Thread_local unsigned tt_budget_inside;
bool tt_budget_nested;

struct page {
    uint64_t magic;
    uint64_t space; /* the pid namespace in which the pids mean something */
    _Atomic uint64_t swept; /* when */
    _Atomic unsigned used;  /* slots from here on were never taken */
    _Atomic uint64_t slot[SLOTS];
};

static struct page lonely; /* where there is no shared page */
static struct page *page;
static _Atomic uint64_t *_Atomic own; /* this process's slot */
static uint64_t self;                 /* its owner bits */
/* tt_fork_count + 1 of the process that makes, has made the above. */
static _Atomic unsigned making, made;

static char *advert; /* the environment's string, ours for ever */
#define ADVERT_SIZE 64

/* The start time of a process; 0: it is a zombie; -1: cannot be read. */
static long long read_start(pid_t pid)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size < 0 ? 0 : size] = 0;
    char *field = strrchr(text, ')'); /* the name may hold anything */
    if (!field || strlen(field) < 3)
        return -1;
    if (field[2] == 'Z' || field[2] == 'X')
        return 0;
    for (int i = 0; i < 20 && field; i++)
        field = strchr(field + 1, ' ');
    return field ? atoll(field) : -1;
}

static bool is_dead(uint64_t word)
{
    long long start = read_start(PID(word));
    if (start < 0)
        return kill(PID(word), 0) != 0 && errno == ESRCH;
    return START(start) != START(word >> 38);
}

static uint64_t pid_space(void)
{
    struct stat info;
    return stat("/proc/self/ns/pid", &info) == 0 ? (uint64_t)info.st_ino : 0;
}

/* Maps the page behind `fd` if it is one of ours. */
static struct page *map(int fd, unsigned long long inode)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || info.st_uid != geteuid() ||
        info.st_size != sizeof(struct page) || info.st_ino != inode ||
        fcntl(fd, F_GET_SEALS) != SEALS)
        return NULL;
    struct page *p =
        mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (p->magic == MAGIC && p->space == pid_space())
        return p;
    munmap(p, sizeof *p);
    return NULL;
}

/* The page that the environment leads to. The link's text is looked at before
 * the file is opened: the descriptor may be anything by now. */
static struct page *find(int *fd_out, unsigned long long *inode)
{
    char path[64], text[32];
    int pid, fd;
    if (!advert ||
        sscanf(advert, "TUTTI_BUDGET=%d:%d:%llu", &pid, &fd, inode) != 3)
        return NULL;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    ssize_t length = readlink(path, text, sizeof text);
    if (length < (ssize_t)strlen("/memfd:" NAME) ||
        memcmp(text, "/memfd:" NAME, strlen("/memfd:" NAME)))
        return NULL;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct page *p = map(fd, *inode);
    if (p)
        *fd_out = fd;
    else
        close(fd);
    return p;
}

static struct page *make(int *fd_out, unsigned long long *inode)
{
    struct page start = {.magic = MAGIC, .space = pid_space()};
    struct stat info;
    int fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return NULL;
    struct page *p = NULL;
    if (write(fd, &start, sizeof start) == sizeof start &&
        fcntl(fd, F_ADD_SEALS, SEALS) == 0 && fstat(fd, &info) == 0)
        p = map(fd, *inode = info.st_ino);
    if (p)
        *fd_out = fd;
    else
        close(fd);
    return p;
}

/* Takes the string's place early, when no other thread is likely to be in
 * getenv(); later it is changed where it stands. */
__attribute__((constructor)) static void reserve(void)
{
    const char *given = getenv("TUTTI_BUDGET");
    if (!(advert = calloc(1, ADVERT_SIZE)))
        return;
    snprintf(advert, ADVERT_SIZE, "TUTTI_BUDGET=%s", given ? given : "");
    putenv(advert);
}

/* Finds or makes this process's page, once a process. False: another thread
 * is at it. A forked child keeps its parent's page and descriptor, but has no
 * slot yet. */
static bool enter(void)
{
    unsigned mark = tt_fork_count + 1, old = making;
    if (made == mark)
        return true;
    if (old == mark || !atomic_compare_exchange_strong(&making, &old, mark))
        return false;
    static int fd = -1;
    static unsigned long long inode;
    long long start = read_start(getpid());
    self = START(start < 0 ? 0 : start) << 38 | (uint64_t)getpid() << 16;
    own = NULL;
    if (page == &lonely)
        memset(&lonely, 0, sizeof lonely);
    else if (!page && !(page = find(&fd, &inode)))
        page = make(&fd, &inode);
    if (!page)
        page = &lonely;
    if (page != &lonely && advert)
        snprintf(advert, ADVERT_SIZE, "TUTTI_BUDGET=%d:%d:%llu", (int)getpid(),
                 fd, inode);
    made = mark;
    return true;
}

void tt_budget_lead(void)
{
    while (!enter())
        sched_yield();
}

unsigned tt_budget_running(void)
{
    unsigned sum = 0;
    if (!enter())
        return 0;
    for (unsigned i = 0; i < page->used && i < SLOTS; i++)
        sum += COUNT(page->slot[i]);
    return sum;
}

/* Frees the slots of the dead; false: that was done a moment ago. */
static bool sweep(void)
{
    uint64_t now = tt_clock(), last = page->swept;
    if (now - last < SWEEP_NS ||
        !atomic_compare_exchange_strong(&page->swept, &last, now))
        return false;
    for (unsigned i = 0; i < page->used && i < SLOTS; i++) {
        uint64_t word = page->slot[i];
        if (word && is_dead(word))
            atomic_compare_exchange_strong(&page->slot[i], &word, 0);
    }
    return true;
}

/* Takes a free slot in the stead of `old`; false: there is none. */
static bool settle(_Atomic uint64_t *old)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t none = 0;
        unsigned used = page->used;
        if (page->slot[i] ||
            !atomic_compare_exchange_strong(&page->slot[i], &none, self))
            continue;
        while (used <= i &&
               !atomic_compare_exchange_weak(&page->used, &used, i + 1))
            ;
        if (!atomic_compare_exchange_strong(&own, &old, &page->slot[i]))
            page->slot[i] = 0; /* another thread was first */
        return true;
    }
    return false;
}

/* Adds to this process's count. The slot may be gone: a process whose first
 * thread has ended looks dead to others. */
static bool add(unsigned n)
{
    for (;;) {
        _Atomic uint64_t *slot = own;
        uint64_t word = slot ? atomic_load(slot) : 0;
        if (!slot || OWNER(word) != self) {
            if (!settle(slot) && !(sweep() && settle(slot)))
                return false;
        } else if (COUNT(word) + n > 0xffff) {
            return false;
        } else if (atomic_compare_exchange_weak(slot, &word, word + n)) {
            return true;
        }
    }
}

void tt_budget_give(unsigned n)
{
    _Atomic uint64_t *slot = own;
    if (made != tt_fork_count + 1 || !slot)
        return;
    uint64_t word = *slot, less;
    do {
        less = OWNER(word) != self ? word
               : COUNT(word) < n   ? OWNER(word)
                                   : word - n;
    } while (!atomic_compare_exchange_weak(slot, &word, less));
}

void tt_budget_add(unsigned n)
{
    tt_budget_lead();
    add(n);
}

unsigned tt_budget_take(unsigned want)
{
    if (!enter())
        return 0;
    unsigned limit = tt_cpu_budget(), running = tt_budget_running();
    if (want && running + want > limit && sweep())
        running = tt_budget_running();
    unsigned room = running < limit ? limit - running : 0;
    unsigned granted = want < room ? want : room;
    if (!granted || !add(granted))
        return 0;
    /* Others may have added since the look: then nobody exceeds. */
    running = tt_budget_running();
    unsigned over = running > limit ? running - limit : 0;
    if (over > granted)
        over = granted;
    tt_budget_give(over);
    return granted - over;
}

unsigned tutti_cpu_idle(void)
{
    unsigned limit = tt_cpu_budget(), running = tt_budget_running();
    if (running >= limit && sweep())
        running = tt_budget_running();
    return running < limit ? limit - running : 0;
}
