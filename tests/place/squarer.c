/* A zygote and its workers for tests: squares numbers, or misbehaves. */
#include "squarer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tutti/sys/message.h>

#include "wire/ring.h"
#include "wire/zygote.h"

static char once[200];
static pid_t halts; /* the first zygote, whose wards halt; 0: none does */

static void sleep_ms(int64_t ms)
{
    usleep((useconds_t)(ms * 1000));
}

/* Also where a sanitizer catches the signal. */
static void crash(void)
{
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static bool first_time(void)
{
    int fd = open(once, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static off_t count_times(void)
{
    int fd = open(once, O_CREAT | O_APPEND | O_WRONLY, 0600);
    if (fd < 0 || write(fd, "", 1) != 1)
        return 0;
    off_t times = lseek(fd, 0, SEEK_END);
    close(fd);
    return times;
}

static bool is_fine(int64_t job)
{
    switch (job) {
    case JOB_CRASH_4:
        if (count_times() <= 4)
            crash();
        return true;
    case JOB_CRASH_ONCE:
        if (first_time())
            crash();
        return true;
    case JOB_STOP_ONCE:
        if (first_time())
            raise(SIGSTOP);
        return true;
    case JOB_SLOW_ONCE:
        if (first_time())
            sleep_ms(600);
        return true;
    case JOB_HANG_ONCE:
        while (first_time())
            pause();
        return true;
    default:
        return job == JOB_FINE || job == JOB_FORGETS ||
               job == JOB_CRASH_AGAIN || job == JOB_HANG_AGAIN;
    }
}

static bool is_fine_again(int64_t job)
{
    if (job == JOB_CRASH_AGAIN && first_time())
        crash();
    while (job == JOB_HANG_AGAIN && first_time())
        pause();
    return job != JOB_FORGETS;
}

static int prepare(void *arg, uint64_t loop, const tutti_parcel *parcel,
                   tutti_bytes *error)
{
    const char *data = parcel->data;
    size_t size = parcel->size;
    (void)arg;
    (void)loop;
    static int64_t job = -1;
    if (size == 0) /* again */
        return is_fine_again(job) ? 0 : -1;
    if (size < sizeof job || size - sizeof job >= sizeof once)
        return -1;
    memcpy(&job, data, sizeof job);
    memcpy(once, data + sizeof job, size - sizeof job);
    once[size - sizeof job] = '\0';
    if (job == JOB_CRASH)
        crash();
    if (is_fine(job))
        return 0;
    static const char why[] = "it was told to refuse";
    return tutti_bytes_append(error, why, sizeof why - 1) ? -2 : -1;
}

static void forget(void *arg, uint64_t loop)
{
    (void)arg;
    (void)loop;
}

static void die_once(void)
{
    if (first_time())
        raise(SIGKILL);
}

static void start_child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    int fd = open(once, O_CREAT | O_WRONLY, 0600);
    if (write(fd, &pid, sizeof pid) < 0)
        abort();
    for (;;)
        pause();
}

/* The ring that this worker writes to. */
static struct tt_ring *find_ring(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[500];
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "memfd:tutti-ring")) {
            struct tt_ring_pair *pair = (void *)strtoul(line, NULL, 16);
            fclose(maps);
            return &pair->rings[TT_TO_PLACE];
        }
    abort();
}

/* As wild pointers do; then the place is woken by all that could be a bell. */
static void scribble(void)
{
    struct tt_ring *ring = find_ring();
    memset(ring, 'x', sizeof *ring);
    for (int fd = 3; fd < 100; fd++) {
        char path[40], name[40] = "";
        uint64_t one = 1;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, name, sizeof name - 1) > 0 &&
            strcmp(name, "anon_inode:[eventfd]") == 0 &&
            write(fd, &one, sizeof one) < 0)
            abort();
    }
    for (;;)
        pause();
}

static int64_t act_on(const struct item *item)
{
    switch (item->act) {
    case ACT_CRASH:
        crash();
        break;
    case ACT_EXIT:
        _exit((int)item->value);
    case ACT_HANG:
        for (;;)
            pause();
    case ACT_NONSENSE:
        scribble();
        break;
    case ACT_SLEEP:
        sleep_ms(item->value);
        break;
    case ACT_CHILD:
        start_child();
        break;
    case ACT_PID:
        return getpid();
    case ACT_ONCE:
        die_once();
        break;
    case ACT_COUNT:
        count_times();
        break;
    default:
        break;
    }
    return item->value * item->value;
}

static bool can_read(const struct item *items, size_t count)
{
    size_t i = 0;
    while (i < count &&
           (items[i].act != ACT_UNREAD || (int64_t)count <= items[i].value))
        i++;
    return i == count;
}

/* Items, then padding that makes the message as large as wanted; the results
 * carry as much. A result that is -1 marks a failed task, the last one. */
static int run(void *arg, uint64_t loop, size_t begin, size_t end,
               unsigned worker, const tutti_parcel *parcel, tutti_bytes *out,
               size_t *ran)
{
    (void)arg;
    (void)loop;
    (void)worker;
    const struct item *items = parcel->data;
    size_t count = end - begin, used = count * sizeof *items;
    if (!can_read(items, count)) {
        *ran = 0;
        return TUTTI_RANGE_GIVES;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].act == ACT_END)
            return 1;
        int64_t result = items[i].act == ACT_FAIL ? -1 : act_on(&items[i]);
        if (tutti_bytes_append(out, &result, sizeof result))
            return 1;
        if (result == -1)
            return 0;
    }
    return parcel->size < used ||
           tutti_bytes_append(out, (const char *)parcel->data + used,
                              parcel->size - used);
}

/* A zygote that halts, once it has said that a worker is stopped, has it go on
 * and is stopped itself. Stands before the C library's. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
    const struct tt_zygote_note *note = message->msg_iov->iov_base;
    if (!halts || getpid() == halts ||
        message->msg_iov->iov_len != sizeof *note ||
        note->kind != TT_ZYGOTE_STOPPED)
        return sent;
    sleep_ms(20);
    kill((pid_t)note->pid, SIGCONT);
    raise(SIGSTOP);
    return sent;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "fail") == 0)
        return 3;
    if (argc > 1 && strcmp(argv[1], "stall") == 0)
        pause();
    if (argc > 1 && strcmp(argv[1], "halts") == 0)
        halts = getpid();
    tutti_worker worker = {.job = prepare, .forget = forget, .range = run};
    int channel = tutti_zygote_serve(3, NULL, NULL, NULL);
    if (channel >= 0 && argc > 1 && strcmp(argv[1], "mute") == 0)
        pause();
    return channel < 0 ? 0 : -tutti_worker_serve(channel, &worker);
}
