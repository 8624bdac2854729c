/* Ends that break, lie, or are killed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "ends.h"

static const size_t some[] = {1, 70000, 300000, 0};

static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static void expect_sentence(tutti_status status)
{
    if (status && (!tutti_detail()[0] || strchr(tutti_detail(), '\n')))
        fail_msg("no sentence: \"%s\"", tutti_detail());
}

/* Takes and sends until nothing more happens. */
static tutti_status use(struct tt_channel *channel)
{
    struct tt_frame frame;
    tutti_parcel parcel;
    bool there = true;
    tutti_status status = TUTTI_OK;
    for (int i = 0; i < 1000 && there && !status; i++) {
        tt_channel_ready(channel);
        tt_channel_send(channel, false);
        status = tt_channel_next(channel, &there, &frame, &parcel);
    }
    expect_sentence(status);
    return status;
}

/* Whatever stands in the shared words, and in the data. */
static void test_wild_words(void **state)
{
    (void)state;
    unsigned broken = 0;
    for (int i = 0; i < 600; i++) {
        struct ends e;
        make(&e);
        put(&e.place, 1, 200, i % 3 ? NULL : some);
        put(&e.worker, 2, 200, i % 3 ? NULL : some);
        tt_channel_send(&e.place, false);
        tt_channel_send(&e.worker, false);
        char *words = (char *)e.place.link->map->pair;
        size_t head = offsetof(struct tt_ring_pair, data);
        for (int k = 0; k < 3; k++) {
            size_t at = draw(head / 8) * 8;
            uint64_t value = draw(3) ? draw(UINT32_MAX) : draw(300000);
            memcpy(words + at, &value, sizeof value);
            words[head + draw(700)] ^= (char)draw(256);
            words[head + TT_RING_SIZE + draw(700)] ^= (char)draw(256);
        }
        put(&e.place, 3, 100, NULL);
        put(&e.worker, 4, 100, NULL);
        struct tt_channel *ends[2] = {&e.place, &e.worker};
        for (int k = 0; k < 4; k++)
            broken += use(ends[k % 2]) == TUTTI_ESYS;
        tt_channel_watch(&e.place, 1);
        fini(&e);
    }
    assert_true(broken > 100);
}

/* Writes frames to the ring as they are. */
static void write_raw(struct tt_channel *channel, const tutti_bytes *bytes)
{
    tt_ring_write(&channel->link->out, bytes->data, bytes->size);
    tt_ring_tell_head(&channel->link->out);
}

static void make_ref(tutti_bytes *out, struct tt_ref ref)
{
    struct tt_frame frame = {.kind = TT_FRAME_RANGE};
    struct tt_mark mark;
    assert_int_equal(tt_frame_open(out, &mark), TUTTI_OK);
    assert_int_equal(tutti_bytes_attach(out, "", 1), TUTTI_OK);
    assert_int_equal(tt_frame_close(out, mark, frame), TUTTI_OK);
    memcpy(out->data + out->size - sizeof ref, &ref, sizeof ref);
}

/* References to what was not lent. */
static void test_wild_refs(void **state)
{
    (void)state;
    static const struct tt_ref refs[] = {
        {.size = 10, .serial = 2},                       /* no descriptor */
        {.size = 10, .serial = UINT64_MAX},              /* */
        {.size = 10, .serial = 1, .slot = 1},            /* not there */
        {.size = 10, .serial = 1, .slot = 99},           /* */
        {.size = 10, .serial = 1, .ticket = TT_TICKETS}, /* */
        {.size = UINT64_MAX, .serial = 1},               /* */
        {.size = 3u << 20, .serial = 1},                 /* behind the end */
        {.size = 1u << 20, .serial = 1, .offset = 2u << 20},
        {.size = 1, .serial = 1, .offset = UINT64_MAX},
        {.size = UINT64_MAX}, /* follows */
    };
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        struct ends e;
        tutti_bytes raw = {0};
        static const size_t one[] = {70000, 0};
        make(&e);
        put(&e.worker, 1, 0, one);
        tt_channel_send(&e.worker, true);
        assert_true(take(&e.place, 1, 0, one));
        make_ref(&raw, refs[i]);
        write_raw(&e.worker, &raw);
        if (use(&e.place) != TUTTI_ESYS)
            fail_msg("reference %zu was taken", i);
        tutti_bytes_clear(&raw);
        fini(&e);
    }
}

/* What claims much gets no memory before it comes. */
static void test_claims(void **state)
{
    struct ends e;
    tutti_bytes raw = {0};
    (void)state;
    make(&e);
    make_ref(&raw, (struct tt_ref){.size = (uint64_t)1 << 39});
    write_raw(&e.worker, &raw);
    assert_int_equal(use(&e.place), TUTTI_OK);
    assert_true(e.place.link->buffer.room < 1u << 20);
    tt_channel_fini(&e.worker);
    use(&e.place);
    assert_int_equal(use(&e.place), TUTTI_OK);
    assert_true(e.place.ended);
    assert_true(tt_channel_torn(&e.place));
    tutti_bytes_clear(&raw);
    fini(&e);
}

static int file_of(size_t size, int seals)
{
    int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    if (seals)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* More descriptors than any message of ours has. */
static bool send_many(int socket, int fd)
{
    union {
        char room[CMSG_SPACE(8 * sizeof fd)];
        struct cmsghdr align;
    } rights = {{0}};
    struct tt_note note = {0};
    struct iovec part = {&note, sizeof note};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = rights.room,
                             .msg_controllen = sizeof rights.room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(8 * sizeof fd);
    for (int i = 0; i < 8; i++)
        memcpy(CMSG_DATA(head) + i * (int)sizeof fd, &fd, sizeof fd);
    return sendmsg(socket, &message, 0) == sizeof note;
}

/* Messages over the socket that are not what they should be. */
static void test_wild_socket(void **state)
{
    tt_arena_trim(0);
    size_t files = count_files();
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct ends e;
        tutti_bytes raw = {0};
        struct tt_note note = {.serial = 1, .size = 8192};
        int fds[3] = {file_of(8192, i == 1 ? 0 : F_SEAL_SHRINK),
                      open("/dev/null", O_RDONLY), -1};
        fds[2] = fds[1];
        make(&e);
        note.slot = i == 2 ? TT_SLOTS : 0;
        note.serial = i == 3 ? 2 : 1;
        note.size = i == 4 ? 4096 : 8192;
        if (i == 5)
            assert_int_equal(send(e.worker.fd, "hello", 5, 0), 5);
        else if (i == 7)
            assert_true(send_many(e.worker.fd, fds[1]));
        else
            assert_true(tt_note_send(e.worker.fd, &note, fds + (i == 6),
                                     i == 0 ? 2 : 1));
        make_ref(&raw, (struct tt_ref){.size = 10, .serial = 1});
        write_raw(&e.worker, &raw);
        if (use(&e.place) != TUTTI_ESYS)
            fail_msg("message %d was taken", i);
        tutti_bytes_clear(&raw);
        fini(&e);
        close(fds[0]);
        close(fds[1]);
    }
    tt_arena_trim(0);
    assert_int_equal(count_files(), files);
}

/* A first message that does not bring a ring. */
static void test_wild_start(void **state)
{
    size_t files = count_files();
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct tt_channel channel;
        struct tt_note note = {.size = 1};
        size_t size = sizeof(struct tt_ring_pair) - (i == 1);
        int file = file_of(size, i == 2 ? 0 : F_SEAL_SHRINK), pair[2];
        int fds[3] = {file, file, file};
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        if (i == 4)
            fds[0] = pair[0];
        assert_true(tt_note_send(pair[0], &note, fds, i == 3 ? 2 : 3));
        tutti_status status = tt_channel_take(&channel, pair[1]);
        assert_int_equal(status, TUTTI_ESYS);
        expect_sentence(status);
        tt_channel_fini(&channel);
        close(pair[0]);
        close(file);
    }
    assert_int_equal(count_files(), files);
}

enum { ROUNDS = 400 };

/* Sends much more than fits before it takes anything. */
static void *talk(void *arg)
{
    struct tt_channel *channel = arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        put(channel, i, 50000, NULL);
        tt_channel_send(channel, true);
    }
    for (uint64_t i = 0; i < ROUNDS;) {
        if (take(channel, i, 50000, NULL))
            i++;
        else
            tt_channel_wait(channel);
    }
    return NULL;
}

/* Both rings are full at once; the place never waits for room. */
static void test_both_full(void **state)
{
    struct ends e;
    pthread_t thread;
    uint64_t sent = 0, taken = 0, rings;
    (void)state;
    make(&e);
    tt_channel_watch(&e.place, 1);
    /* put() has one buffer: the place's frames are made before. */
    for (; sent < ROUNDS; sent++)
        put(&e.place, sent, 50000, NULL);
    tt_channel_send(&e.place, false);
    assert_int_equal(pthread_create(&thread, NULL, talk, &e.worker), 0);
    for (;;) {
        tt_channel_send(&e.place, false);
        if (taken == ROUNDS && !tt_channel_full(&e.place))
            break;
        if (take(&e.place, taken, 50000, NULL)) {
            taken++;
            continue;
        }
        struct pollfd bell = {.fd = e.bell, .events = POLLIN};
        if (!tt_channel_ready(&e.place)) {
            if (poll(&bell, 1, 20000) != 1)
                fail_msg("nothing came for 20 s after %d", (int)taken);
            assert_int_equal(read(e.bell, &rings, sizeof rings), 8);
        }
    }
    pthread_join(thread, NULL);
    fini(&e);
}

/* A worker process: sends back what comes, until the end. */
static void echo(int fd)
{
    struct tt_channel channel;
    if (tt_channel_take(&channel, fd))
        _exit(1);
    while (!channel.ended) {
        struct tt_frame frame;
        tutti_parcel parcel;
        struct tt_mark mark;
        bool there;
        if (tt_channel_next(&channel, &there, &frame, &parcel))
            _exit(2);
        if (!there) {
            tt_channel_wait(&channel);
            continue;
        }
        tutti_status status = tt_frame_open(&channel.out, &mark);
        if (!status)
            status = tutti_bytes_append(&channel.out, parcel.data, parcel.size);
        for (size_t i = 0; !status && i < parcel.count; i++)
            status = tutti_bytes_attach(&channel.out,
                                        tutti_block_data(parcel.blocks[i]),
                                        tutti_block_size(parcel.blocks[i]));
        if (status || tt_frame_close(&channel.out, mark, frame))
            _exit(3);
        tt_channel_send(&channel, true);
    }
    _exit(0);
}

static pid_t start(struct tt_channel *place, int *bell)
{
    struct ends e;
    int theirs;
    make(&e);
    tt_channel_fini(&e.place);
    tt_channel_fini(&e.worker);
    *bell = e.bell;
    int bells[2] = {e.bell, e.bell};
    assert_int_equal(tt_channel_make(place, bells, &theirs), TUTTI_OK);
    pid_t pid = fork();
    if (pid == 0) {
        close(place->fd);
        echo(theirs);
    }
    close(theirs);
    return pid;
}

/* A worker that is killed at any moment is known to be gone, and leaves
 * nothing. */
static void test_killed(void **state)
{
    tt_arena_trim(0);
    size_t files = count_files(), idle, segments;
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct tt_channel place;
        int bell, status;
        uint64_t sent = 0, taken = 0;
        pid_t pid = start(&place, &bell);
        uint64_t until = tt_clock() + draw(6000000);
        while (tt_clock() < until) {
            if (sent < taken + 3) {
                put(&place, sent, (size_t)(sent % 7 * 30000),
                    sent % 2 ? some : NULL);
                sent++;
            }
            tt_channel_send(&place, false);
            if (take(&place, taken, (size_t)(taken % 7 * 30000),
                     taken % 2 ? some : NULL))
                taken++;
            assert_false(place.ended);
        }
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        int looks = 0;
        for (; looks < 100 && !place.ended; looks++) {
            tt_channel_send(&place, false);
            if (take(&place, taken, (size_t)(taken % 7 * 30000),
                     taken % 2 ? some : NULL))
                taken++;
        }
        assert_true(place.ended);
        tt_channel_fini(&place);
        close(bell);
    }
    tt_arena_trim(0);
    tt_arena_count(&idle, &segments);
    assert_int_equal(segments, 0);
    assert_int_equal(count_files(), files);
}

/* A worker that waits is woken by what comes, and by the end: of the channel,
 * or of the place's process. */
static void test_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct tt_channel place;
        int bell, status;
        pid_t pid = start(&place, &bell);
        for (uint64_t k = 0; k < 20; k++) {
            usleep(k % 2 ? 3000 : 0);
            put(&place, k, 10, NULL);
            tt_channel_send(&place, false);
            uint64_t until = tt_clock() + 20000000000u;
            while (!take(&place, k, 10, NULL))
                if (tt_clock() > until)
                    fail_msg("no answer in 20 s");
        }
        usleep(i == 0 ? 0 : 5000);
        if (i == 1) { /* as when the place's process is killed */
            close(place.fd);
            place.fd = -1;
        } else {
            tt_channel_fini(&place);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        tt_channel_fini(&place);
        close(bell);
    }
}

/* Has the other end send a message back. */
static void pass(struct tt_channel *place, uint64_t begin, const size_t *blocks)
{
    uint64_t until = tt_clock() + 20000000000u;
    put(place, begin, 0, blocks);
    tt_channel_send(place, false);
    while (!take(place, begin, 0, blocks))
        if (tt_clock() > until)
            fail_msg("no answer in 20 s");
}

/* A block that a forked child may look at is not given back. */
static void test_fork(void **state)
{
    struct tt_channel place;
    struct tt_frame frame;
    tutti_parcel parcel;
    int bell, status, go[2];
    bool there = false;
    char byte = 0;
    static const size_t one[] = {300000, 0};
    pid_t pid = start(&place, &bell);
    (void)state;
    assert_int_equal(pipe(go), 0);
    put(&place, 1, 0, one);
    tt_channel_send(&place, false);
    while (!there)
        assert_int_equal(tt_channel_next(&place, &there, &frame, &parcel),
                         TUTTI_OK);
    tutti_block *block = tutti_block_keep(parcel.blocks[0]);
    pid_t child = fork();
    if (child == 0) {
        if (read(go[0], &byte, 1) != 1)
            _exit(1);
        for (size_t i = 0; i < one[0]; i++)
            if (((char *)tutti_block_data(block))[i] != pattern(1001, i))
                _exit(2);
        _exit(0);
    }
    tutti_block_drop(block);
    for (uint64_t i = 2; i < 8; i++)
        pass(&place, i, one);
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    tt_channel_fini(&place);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(bell);
    close(go[0]);
    close(go[1]);
}

/* A place that cannot send any more knows it, although nothing comes. */
static void test_wild_tail(void **state)
{
    struct ends e;
    (void)state;
    make(&e);
    atomic_store(&e.place.link->out.ring->tail, 12345);
    put(&e.place, 1, 10, NULL);
    tt_channel_send(&e.place, false);
    assert_false(tt_channel_full(&e.place));
    assert_true(tt_channel_ready(&e.place));
    assert_int_equal(use(&e.place), TUTTI_ESYS);
    fini(&e);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wild_words), cmocka_unit_test(test_wild_refs),
        cmocka_unit_test(test_claims),     cmocka_unit_test(test_wild_socket),
        cmocka_unit_test(test_wild_start), cmocka_unit_test(test_both_full),
        cmocka_unit_test(test_killed),     cmocka_unit_test(test_wait),
        cmocka_unit_test(test_fork),       cmocka_unit_test(test_wild_tail),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
