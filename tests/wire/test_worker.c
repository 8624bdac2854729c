#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/status.h"
#include "wire/channel.h"
#include "wire/worker.h"
#include "wire/zygote.h"

/* A worker that notes what it is asked for. */
struct notes {
    uint64_t job, forgot;
    bool refuses, ends, gives;
    size_t most; /* tasks at a time; 0: all */
};

static int job(void *arg, uint64_t loop, const tutti_parcel *parcel,
               tutti_bytes *error)
{
    struct notes *notes = arg;
    assert_memory_equal(parcel->data, "function", parcel->size);
    notes->job = loop;
    if (notes->refuses)
        assert_int_equal(tutti_bytes_append(error, "no", 2), TUTTI_OK);
    return notes->refuses;
}

static void forget(void *arg, uint64_t loop)
{
    ((struct notes *)arg)->forgot = loop;
}

static int range(void *arg, uint64_t loop, size_t begin, size_t end,
                 unsigned worker, const tutti_parcel *parcel, tutti_bytes *out,
                 size_t *ran)
{
    struct notes *notes = arg;
    assert_int_equal(loop, notes->job);
    assert_int_equal(worker, 3);
    assert_int_equal(end, 2);
    assert_int_equal(*ran, end - begin);
    if (notes->ends)
        return 1;
    if (notes->most)
        *ran = notes->most == 9 ? 0 : notes->most;
    tutti_worker_at(begin + 40);
    tutti_worker_say(TUTTI_SAYS_OUT, "", 0);
    if (tutti_bytes_append(out, parcel->data, parcel->size) ||
        tutti_bytes_append(out, "!", 1))
        return 1;
    return notes->gives ? TUTTI_RANGE_GIVES : 0;
}

static bool again;

static tutti_status ask(struct tt_worker *worker, struct tt_frame *frame,
                        const char *text, tutti_bytes *out)
{
    tutti_parcel parcel = {.data = text, .size = strlen(text)};
    frame->worker = 3;
    out->size = 0;
    return tt_worker_take(worker, frame, &parcel, out, &again);
}

static void expect(const tutti_bytes *out, uint32_t kind, uint64_t loop,
                   const char *text)
{
    struct tt_frame frame;
    assert_true(out->size >= sizeof frame);
    memcpy(&frame, out->data, sizeof frame);
    assert_int_equal(tt_frame_check(&frame), TUTTI_OK);
    assert_int_equal(frame.kind, kind);
    assert_int_equal(frame.loop, loop);
    assert_int_equal(frame.size, strlen(text));
    assert_memory_equal(out->data + sizeof frame, text, frame.size);
    assert_true(frame.from <= frame.to);
}

static void test_states(void **state)
{
    struct notes notes = {0};
    tutti_worker calls = {&notes, job, forget, range};
    struct tt_worker worker;
    tutti_bytes out = {0};
    struct tt_frame range_of = {.kind = TT_FRAME_RANGE, .loop = 5, .end = 2};
    (void)state;
    assert_int_equal(tt_worker_begin(&worker, &calls, &out), TUTTI_OK);
    expect(&out, TT_FRAME_HELLO, 0, "");
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_ESYS);

    struct tt_frame first = {.kind = TT_FRAME_JOB, .loop = 5};
    assert_int_equal(ask(&worker, &first, "function", &out), TUTTI_OK);
    expect(&out, TT_FRAME_PREPARED, 5, "");
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    expect(&out, TT_FRAME_DONE, 5, "ab!");
    assert_false(again);

    range_of.begin = 0; /* in two parts */
    notes.most = 1;
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    struct tt_frame part;
    memcpy(&part, out.data, sizeof part);
    assert_int_equal(part.begin, 0);
    assert_int_equal(part.end, 1);
    assert_true(again);
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    memcpy(&part, out.data, sizeof part);
    assert_int_equal(part.begin, 1);
    assert_int_equal(part.end, 2);
    assert_false(again);
    range_of.begin = 0; /* the rest goes back, if there is one */
    notes.gives = true;
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    memcpy(&part, out.data, sizeof part);
    assert_int_equal(part.kind, TT_FRAME_PART);
    assert_int_equal(part.end, 1);
    assert_false(again);
    range_of.begin = 0; /* all of it */
    notes.most = 9;
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    memcpy(&part, out.data, sizeof part);
    assert_int_equal(part.kind, TT_FRAME_PART);
    assert_int_equal(part.end, 0);
    range_of.begin = notes.most = 0;
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    expect(&out, TT_FRAME_DONE, 5, "ab!");
    notes.gives = false;
    range_of.begin = 0;
    for (notes.most = 3; notes.most <= 9; notes.most += 6)
        assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_ETASK);
    notes.most = 0;

    struct tt_frame second = {.kind = TT_FRAME_JOB, .loop = 6}, kept = second;
    kept.begin = 1;
    notes.refuses = true;
    assert_int_equal(ask(&worker, &second, "function", &out), TUTTI_OK);
    expect(&out, TT_FRAME_REFUSED, 6, "no");
    assert_int_equal(notes.forgot, 5);
    range_of.loop = 6; /* sent ahead: dropped */
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    assert_int_equal(out.size, 0);
    range_of.loop = 5;
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_ESYS);
    range_of.loop = 6;

    notes.refuses = false;
    notes.job = 0; /* nothing is kept of a loop that it refused */
    assert_int_equal(ask(&worker, &kept, "", &out), TUTTI_OK);
    expect(&out, TT_FRAME_REFUSED, 6, "");
    assert_int_equal(notes.job, 0);
    assert_int_equal(ask(&worker, &second, "function", &out), TUTTI_OK);
    struct tt_frame over = {.kind = TT_FRAME_FORGET, .loop = 6};
    assert_int_equal(ask(&worker, &over, "", &out), TUTTI_OK);
    assert_int_equal(out.size, 0);
    assert_int_equal(notes.forgot, 6);
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_ESYS);

    assert_int_equal(ask(&worker, &second, "function", &out), TUTTI_OK);
    assert_int_equal(ask(&worker, &kept, "", &out), TUTTI_OK);
    assert_int_equal(out.size, 0);
    assert_int_equal(notes.job, 6);
    notes.refuses = true;
    notes.forgot = 0;
    assert_int_equal(ask(&worker, &kept, "", &out), TUTTI_OK);
    assert_int_equal(notes.forgot, 6);
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_OK);
    assert_int_equal(out.size, 0);
    notes.refuses = false;

    assert_int_equal(ask(&worker, &second, "function", &out), TUTTI_OK);
    notes.ends = true;
    assert_int_equal(ask(&worker, &range_of, "ab", &out), TUTTI_ETASK);
    struct tt_frame wrong = {.kind = TT_FRAME_DONE};
    assert_int_equal(ask(&worker, &wrong, "", &out), TUTTI_ESYS);
    tutti_bytes_clear(&out);
}

/* A channel whose worker's end is *theirs. */
static void make(struct tt_channel *channel, int *theirs)
{
    int bell = eventfd(0, EFD_CLOEXEC), bells[2] = {bell, bell};
    assert_int_equal(tt_channel_make(channel, bells, theirs), TUTTI_OK);
    close(bell);
}

/* What tutti_worker_serve() returns when it is sent frames, then the end. */
static int serve(const char *send, size_t size)
{
    struct notes notes = {0};
    tutti_worker calls = {&notes, job, forget, range};
    struct tt_channel channel;
    int theirs;
    make(&channel, &theirs);
    assert_int_equal(tutti_bytes_append(&channel.out, send, size), TUTTI_OK);
    tt_channel_send(&channel, false);
    tt_channel_fini(&channel);
    return tutti_worker_serve(theirs, &calls);
}

static void test_serve(void **state)
{
    tutti_bytes out = {0};
    struct tt_frame frame = {.kind = TT_FRAME_JOB, .loop = 5};
    static const char nonsense[100] = "something else";
    int fds[2];
    (void)state;
    assert_int_equal(tt_frame_put(&out, frame, "function", 8), TUTTI_OK);
    assert_int_equal(serve(NULL, 0), 0);
    assert_int_equal(serve(out.data, out.size), 0);
    tutti_bytes_clear(&out);

    /* What is no channel. */
    tutti_worker calls = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    assert_int_equal(write(fds[1], nonsense, sizeof nonsense), sizeof nonsense);
    assert_int_equal(tutti_worker_serve(fds[0], &calls), -1);
    assert_non_null(strstr(tutti_detail(), "something else wrote"));
    close(fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    close(fds[1]);
    assert_int_equal(tutti_worker_serve(fds[0], &calls), -1);
    assert_non_null(strstr(tutti_detail(), "ended before"));
}

/* What a worker says and where it is, from its own thread, others, and what
 * it forks. */
static _Atomic bool forked;

static void *say_more(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        tutti_worker_say(TUTTI_SAYS_ERR, "more\n", 5);
    tutti_worker_at(999); /* not its thread */
    while (!forked)       /* it lives when the task forks */
        usleep(100);
    return NULL;
}

static int talk(void *arg, uint64_t loop, size_t begin, size_t end,
                unsigned worker, const tutti_parcel *parcel, tutti_bytes *out,
                size_t *ran)
{
    (void)arg, (void)loop, (void)end, (void)worker, (void)parcel;
    pthread_t thread;
    int status;
    static char text[200000];
    forked = false;
    if (pthread_create(&thread, NULL, say_more, NULL))
        return 1;
    memset(text, 't', sizeof text);
    tutti_worker_at(begin);
    tutti_worker_say(TUTTI_SAYS_OUT, text, sizeof text);
    pid_t pid = fork();
    if (pid == 0) {
        tutti_worker_at(555);
        close(STDERR_FILENO); /* where this goes */
        tutti_worker_say(TUTTI_SAYS_ERR, "a child", 7);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    forked = true;
    pthread_join(thread, NULL);
    *ran = 1;
    return status ||
           tutti_bytes_append(out, text, 70000 * (begin % 2)) != TUTTI_OK;
}

static int any_job(void *arg, uint64_t loop, const tutti_parcel *parcel,
                   tutti_bytes *error)
{
    (void)arg, (void)loop, (void)parcel, (void)error;
    tutti_worker_say(TUTTI_SAYS_OUT, "prepares\n", 9);
    return 0;
}

static void any_forget(void *arg, uint64_t loop)
{
    (void)arg, (void)loop;
}

/* The next frame; what was said is added to said[voice]. */
static struct tt_frame next(struct tt_channel *channel, size_t said[3])
{
    uint64_t until = tt_clock() + 60000000000u;
    while (tt_clock() < until) {
        struct tt_frame frame;
        tutti_parcel parcel;
        bool there;
        assert_int_equal(tt_channel_next(channel, &there, &frame, &parcel),
                         TUTTI_OK);
        assert_false(channel->ended);
        if (!there)
            usleep(100);
        else if (frame.kind != TT_FRAME_SAID)
            return frame;
        else
            said[frame.worker] += parcel.size;
        assert_true(!there || frame.loop == 8);
    }
    fail_msg("no answer");
    return (struct tt_frame){0};
}

static void test_say(void **state)
{
    struct tt_channel channel;
    int theirs, status;
    size_t said[3] = {0};
    (void)state;
    make(&channel, &theirs);
    pid_t pid = fork();
    if (pid == 0) {
        tutti_worker calls = {NULL, any_job, any_forget, talk};
        close(channel.fd);
        _exit(tutti_worker_serve(theirs, &calls) ? 1 : 0);
    }
    close(theirs);
    struct tt_frame job_of = {.kind = TT_FRAME_JOB, .loop = 8};
    struct tt_frame range_of = {.kind = TT_FRAME_RANGE, .loop = 8, .end = 3};
    assert_int_equal(tt_frame_put(&channel.out, job_of, NULL, 0), TUTTI_OK);
    assert_int_equal(tt_frame_put(&channel.out, range_of, NULL, 0), TUTTI_OK);
    tt_channel_send(&channel, false);
    assert_int_equal(next(&channel, said).kind, TT_FRAME_HELLO);
    assert_int_equal(next(&channel, said).kind, TT_FRAME_PREPARED);
    assert_int_equal(said[TUTTI_SAYS_OUT], 9);
    for (size_t i = 0; i < 3; i++) {
        struct tt_frame done = next(&channel, said);
        assert_int_equal(done.kind, TT_FRAME_DONE);
        assert_int_equal(done.begin, i);
        assert_int_equal(done.end, i + 1);
        assert_int_equal(done.size, i % 2 ? 70000 : 0);
        assert_int_equal(said[TUTTI_SAYS_OUT], 9 + (i + 1) * 200000);
        assert_int_equal(said[TUTTI_SAYS_ERR], (i + 1) * 1000);
    }
    assert_int_equal(tt_channel_at(&channel), 2);
    tt_channel_fini(&channel);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A thread that a job has started says what it has to say while its worker
 * waits, which looks after what was sent. */
#define SAYINGS 1000
#define LONG_TEXT 60000

static void *say_on(void *arg)
{
    static char text[LONG_TEXT];
    (void)arg;
    for (int i = 0; i < SAYINGS; i++)
        tutti_worker_say(TUTTI_SAYS_ERR, text, sizeof text);
    return NULL;
}

static int talkative_job(void *arg, uint64_t loop, const tutti_parcel *parcel,
                         tutti_bytes *error)
{
    pthread_t thread;
    (void)arg, (void)loop, (void)parcel, (void)error;
    return pthread_create(&thread, NULL, say_on, NULL) ||
           pthread_detach(thread);
}

static void test_say_while_idle(void **state)
{
    struct tt_channel channel;
    int theirs, status;
    size_t said = 0;
    (void)state;
    make(&channel, &theirs);
    pid_t pid = fork();
    if (pid == 0) {
        tutti_worker calls = {NULL, talkative_job, any_forget, talk};
        close(channel.fd);
        _exit(tutti_worker_serve(theirs, &calls) ? 1 : 0);
    }
    close(theirs);
    struct tt_frame frame = {.kind = TT_FRAME_JOB, .loop = 8};
    assert_int_equal(tt_frame_put(&channel.out, frame, NULL, 0), TUTTI_OK);
    tt_channel_send(&channel, false);
    uint64_t until = tt_clock() + 60000000000u;
    while (said < (size_t)SAYINGS * LONG_TEXT && tt_clock() < until) {
        tutti_parcel parcel;
        bool there;
        tt_channel_nudge(&channel);
        assert_int_equal(tt_channel_next(&channel, &there, &frame, &parcel),
                         TUTTI_OK);
        assert_false(channel.ended);
        if (there && frame.kind == TT_FRAME_SAID)
            said += parcel.size;
        usleep(20);
    }
    assert_int_equal(said, (size_t)SAYINGS * LONG_TEXT);
    tt_channel_fini(&channel);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A zygote in a child process; its control socket. Its workers write their
 * first byte to the channel, then wait. */
static int start_zygote(pid_t *pid)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds),
                     0);
    *pid = fork();
    if (*pid == 0) {
        close(fds[0]);
        int channel = tutti_zygote_serve(fds[1], NULL, NULL, NULL);
        char byte = 'w';
        if (channel < 0)
            _exit(7);
        if (write(channel, &byte, 1) == 1 && read(channel, &byte, 1) == 1)
            _exit(byte);
        _exit(9);
    }
    close(fds[1]);
    return fds[0];
}

static void tell(int control, uint32_t kind, uint64_t worker, int fd)
{
    struct tt_zygote_note note = {.kind = kind, .worker = worker};
    assert_true(tt_zygote_send(control, &note, fd, 1000));
}

static struct tt_zygote_note hear(int control)
{
    struct tt_zygote_note note;
    int fd;
    assert_int_equal(tt_zygote_receive(control, &note, &fd, true), 1);
    assert_int_equal(fd, -1);
    return note;
}

static int fork_worker(int control, uint64_t worker)
{
    int fds[2];
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    tell(control, TT_ZYGOTE_FORK, worker, fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    return fds[0];
}

static void test_zygote(void **state)
{
    pid_t pid;
    int status, control = start_zygote(&pid);
    char byte = 5;
    (void)state;
    assert_int_equal(hear(control).kind, TT_ZYGOTE_HELLO);
    int first = fork_worker(control, 1), second = fork_worker(control, 2);
    int third = fork_worker(control, 3);

    assert_int_equal(write(first, &byte, 1), 1);
    struct tt_zygote_note note = hear(control);
    assert_int_equal(note.kind, TT_ZYGOTE_DIED);
    assert_int_equal(note.worker, 1);
    assert_int_equal(WEXITSTATUS(note.status), 5);

    tell(control, TT_ZYGOTE_KILL, 1, -1); /* long gone: nothing happens */
    tell(control, TT_ZYGOTE_KILL, 2, -1);
    note = hear(control);
    assert_int_equal(note.worker, 2);
    assert_int_equal(WTERMSIG(note.status), SIGKILL);
    assert_int_equal(read(second, &byte, 1), 0);

    tell(control, TT_ZYGOTE_FORK, 4, -1); /* without a channel */
    note = hear(control);
    assert_int_equal(note.kind, TT_ZYGOTE_FAILED);
    assert_int_equal(note.worker, 4);

    close(control);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(read(third, &byte, 1), 0); /* killed and reaped */
    close(first);
    close(second);
    close(third);
}

static void test_zygote_nonsense(void **state)
{
    pid_t pid;
    int status, control = start_zygote(&pid);
    (void)state;
    assert_int_equal(hear(control).kind, TT_ZYGOTE_HELLO);
    assert_int_equal(write(control, "nonsense", 8), 8);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    struct tt_zygote_note note = {.kind = TT_ZYGOTE_KILL};
    assert_false(tt_zygote_send(control, &note, -1, 1000));
    close(control);
}

static void test_zygote_killed(void **state)
{
    pid_t pid;
    int control = start_zygote(&pid);
    char byte;
    (void)state;
    assert_int_equal(hear(control).kind, TT_ZYGOTE_HELLO);
    int channel = fork_worker(control, 1);
    kill(pid, SIGKILL);
    assert_int_equal(read(channel, &byte, 1), 0); /* the worker died too */
    waitpid(pid, NULL, 0);
    close(channel);
    close(control);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_serve),
        cmocka_unit_test(test_say),
        cmocka_unit_test(test_say_while_idle),
        cmocka_unit_test(test_zygote),
        cmocka_unit_test(test_zygote_nonsense),
        cmocka_unit_test(test_zygote_killed),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
