#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ends.h"
#include "fault.h"

static tutti_block *alloc(size_t size)
{
    tutti_block *block;
    assert_int_equal(tutti_block_alloc(&block, size), TUTTI_OK);
    assert_int_equal(tutti_block_size(block), size);
    assert_int_equal((uintptr_t)tutti_block_data(block) % 64, 0);
    return block;
}

static size_t idle_bytes(void)
{
    size_t idle, segments;
    tt_arena_count(&idle, &segments);
    return idle;
}

/* Blocks of all sizes do not touch each other, whatever goes first. */
static void test_arena(void **state)
{
    enum { BLOCKS = 64 };
    tutti_block *blocks[BLOCKS] = {0};
    size_t sizes[BLOCKS], files = count_files();
    (void)state;
    srand(7);
    for (int i = 0; i < 4000; i++) {
        int k = rand() % BLOCKS;
        if (blocks[k]) {
            check(tutti_block_data(blocks[k]), (uint64_t)k, sizes[k]);
            tutti_block_drop(blocks[k]);
        }
        sizes[k] = (size_t)rand() % (i % 9 ? 30000 : 700000);
        blocks[k] = alloc(sizes[k]);
        fill(tutti_block_data(blocks[k]), (uint64_t)k, sizes[k]);
    }
    for (int k = 0; k < BLOCKS; k++)
        tutti_block_drop(blocks[k]);
    tutti_block_drop(NULL);
    assert_true(idle_bytes() > 0);
    tt_arena_trim(0);
    assert_int_equal(idle_bytes(), 0);
    assert_int_equal(count_files(), files);
}

/* What nobody uses is kept, up to a limit. */
static void test_keeps(void **state)
{
    (void)state;
    tutti_block *blocks[6];
    for (int i = 0; i < 6; i++)
        blocks[i] = alloc((size_t)50 << 20);
    for (int i = 0; i < 6; i++)
        tutti_block_drop(blocks[i]);
    assert_int_equal(idle_bytes(), (size_t)250 << 20);
    blocks[0] = alloc((size_t)30 << 20); /* half of one that is there */
    assert_int_equal(idle_bytes(), (size_t)200 << 20);
    tutti_block_drop(blocks[0]);
    tt_arena_trim((size_t)120 << 20);
    assert_int_equal(idle_bytes(), (size_t)100 << 20);
    tt_arena_trim(0);
    tutti_block *none;
    assert_int_equal(tutti_block_alloc(&none, SIZE_MAX / 2), TUTTI_EMEM);
    assert_int_equal(tutti_block_alloc(&none, SIZE_MAX), TUTTI_EMEM);
}

/* A view lives as long as it is used; what does not lie in a block, or not
 * wholly, is copied. */
static void test_views(void **state)
{
    tutti_bytes bytes = {0};
    (void)state;
    tutti_block *block = alloc(10000);
    char *data = tutti_block_data(block);
    fill(data, 3, 10000);
    assert_int_equal(tutti_bytes_attach(&bytes, data + 5000, 5000), TUTTI_OK);
    assert_int_equal(tutti_bytes_attach(&bytes, data + 5000, 5001), TUTTI_OK);
    assert_int_equal(tutti_bytes_attach(&bytes, data + 12000, 10), TUTTI_OK);
    assert_int_equal(tutti_bytes_attach(&bytes, NULL, 0), TUTTI_OK);
    tutti_block_drop(block);
    assert_ptr_equal(tutti_block_data(bytes.blocks[0]), data + 5000);
    for (int i = 1; i < 4; i++) {
        char *copy = tutti_block_data(bytes.blocks[i]);
        assert_true(copy < data || copy >= data + 12288);
    }
    assert_memory_equal(tutti_block_data(bytes.blocks[0]), data + 5000, 5000);
    tutti_bytes_clear(&bytes);
    assert_null(bytes.blocks);
}

static int child_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A child has what lived at the fork, whatever the parent does then, and the
 * parent does not see what it writes. */
static void test_fork(void **state)
{
    struct ends e;
    struct tt_frame frame;
    tutti_parcel parcel;
    bool there;
    int go[2];
    char byte = 0;
    static const size_t one[] = {500000, 0};
    (void)state;
    make(&e);
    assert_int_equal(pipe(go), 0);
    put(&e.worker, 1, 0, one);
    tt_channel_send(&e.worker, true);
    assert_int_equal(tt_channel_next(&e.place, &there, &frame, &parcel),
                     TUTTI_OK);
    tutti_block *theirs = tutti_block_keep(parcel.blocks[0]);
    tutti_block *own = alloc(300000), *small = alloc(3000);
    tutti_block_drop(alloc(5 << 20)); /* idle */
    fill(tutti_block_data(own), 5, 300000);
    fill(tutti_block_data(small), 6, 3000);
    pid_t pid = fork();
    if (pid == 0) {
        memset(tutti_block_data(small), 'c', 3000);
        if (read(go[0], &byte, 1) != 1)
            _exit(2);
        for (size_t i = 0; i < 300000; i++)
            if (((char *)tutti_block_data(own))[i] != pattern(5, i) ||
                ((char *)tutti_block_data(theirs))[i] != pattern(1001, i))
                _exit(3);
        tutti_block_drop(own);
        tutti_block_drop(small);
        tutti_block_drop(theirs);
        if (idle_bytes())
            _exit(4);
        tutti_block *mine = alloc(300000);
        memset(tutti_block_data(mine), 'm', 300000);
        tutti_block_drop(mine);
        _exit(idle_bytes() ? 0 : 5);
    }
    tutti_block_drop(theirs);
    tutti_block_drop(own);
    assert_false(take(&e.place, 0, 0, NULL)); /* the parcel goes */
    for (int i = 0; i < 5; i++) {
        put(&e.worker, 9, 0, one);
        tt_channel_send(&e.worker, true);
        assert_true(take(&e.place, 9, 0, one));
        tutti_block *other = alloc(300000);
        memset(tutti_block_data(other), 'o', 300000);
        tutti_block_drop(other);
    }
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(child_of(pid), 0);
    check(tutti_block_data(small), 6, 3000);
    tutti_block_drop(small);
    fini(&e);
    tt_arena_trim(0);
    close(go[0]);
    close(go[1]);
}

static void pass_on(struct ends *e, uint64_t begin, size_t size,
                    const size_t *blocks)
{
    bool taken = false;
    put(&e->worker, begin, size, blocks);
    while (!taken) {
        tt_channel_send(&e->worker, false);
        taken = take(&e->place, begin, size, blocks);
    }
}

/* Without descriptors blocks are copied: when the sender has none, and at the
 * wish of a receiver that has few. */
static void test_descriptors(void **state)
{
    enum { FEW = 300, LEFT = 30 };
    struct ends e;
    struct rlimit usual, few;
    int taken[FEW], count = 0, more;
    static const size_t some[] = {100000, 3000000, 70000, 0};
    (void)state;
    tt_arena_trim(0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    few = usual;
    few.rlim_cur = FEW;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((more = dup(0)) >= 0)
        taken[count++] = more;
    for (int i = 0; i < LEFT; i++)
        close(taken[--count]);
    make(&e);
    const struct tt_ring *ring = e.worker.link->out.ring;
    assert_int_equal(ring->narrow, 1);
    for (uint64_t i = 0; i < 30; i++)
        pass_on(&e, i, i * 10000, some);
    tt_arena_trim(0);
    while ((more = dup(0)) >= 0)
        taken[count++] = more;
    for (uint64_t i = 0; i < 30; i++)
        pass_on(&e, i, i * 10000, some);
    assert_int_equal(ring->narrow, 1);
    assert_int_equal(e.worker.link->loans.serial, 0);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    while (count)
        close(taken[--count]);
    for (uint64_t i = 0; i < 3; i++)
        pass_on(&e, i, 10, some);
    assert_int_equal(ring->narrow, 0);
    assert_true(e.worker.link->loans.serial > 0);
    fini(&e);
}

/* More than can be lent, or mapped, is copied. */
static void test_many(void **state)
{
    enum { MANY = 1200 };
    struct ends e;
    struct tt_frame frame;
    tutti_parcel parcel;
    static tutti_block *kept[MANY];
    static const size_t one[] = {66000, 0};
    (void)state;
    make(&e);
    for (uint64_t i = 0; i < MANY; i++) {
        put(&e.worker, i, 0, one);
        bool there = false;
        while (!there) {
            tt_channel_send(&e.worker, false);
            assert_int_equal(tt_channel_next(&e.place, &there, &frame, &parcel),
                             TUTTI_OK);
        }
        kept[i] = tutti_block_keep(parcel.blocks[0]);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        check(tutti_block_data(kept[i]), i + 1000, one[0]);
        tutti_block_drop(kept[i]);
    }
    fini(&e);
}

static tutti_status travel(void *arg)
{
    (void)arg;
    struct tt_channel place = {.fd = -1}, worker = {.fd = -1};
    static char data[300000];
    struct tt_frame frame = {.kind = TT_FRAME_RANGE}, got;
    tutti_parcel parcel;
    struct tt_mark mark = {0};
    int bells[2] = {0, 0}, theirs;
    bool there = false;
    tt_arena_trim(0);
    tutti_status status = tt_channel_make(&place, bells, &theirs);
    if (status)
        return status;
    status = tt_channel_take(&worker, theirs);
    if (!status)
        status = tt_frame_open(&place.out, &mark);
    if (!status)
        status = tutti_bytes_append(&place.out, data, 100000);
    if (!status)
        status = tutti_bytes_attach(&place.out, data, sizeof data);
    if (!status)
        status = tutti_bytes_attach(&place.out, data, 20000);
    if (!status)
        status = tt_frame_close(&place.out, mark, frame);
    if (status)
        tt_frame_give_up(&place.out, mark);
    for (int i = 0; !status && !there && i < 20; i++) {
        tt_channel_send(&place, false);
        status = tt_channel_next(&worker, &there, &got, &parcel);
    }
    if (!status && (!there || parcel.size != 100000 || parcel.count != 2))
        abort();
    tt_channel_fini(&place);
    tt_channel_fini(&worker);
    return status;
}

static void test_faults(void **state)
{
    (void)state;
    tt_arena_trim(0);
    size_t files = count_files();
    assert_true(tt_fault_each(travel, NULL) > 10);
    tt_arena_trim(0);
    assert_int_equal(count_files(), files);
}

static void *churn(void *arg)
{
    tutti_block *shared = arg;
    for (int i = 0; i < 3000; i++) {
        tutti_bytes bytes = {0};
        char *data = tutti_block_data(shared);
        if (tutti_bytes_attach(&bytes, data + i, 1000) ||
            tutti_bytes_attach(&bytes, &i, sizeof i) ||
            tutti_block_data(bytes.blocks[0]) != data + i)
            abort();
        tutti_bytes_clear(&bytes);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[3];
    (void)state;
    tutti_block *shared = alloc(100000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, shared), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    tutti_block_drop(shared);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena),       cmocka_unit_test(test_keeps),
        cmocka_unit_test(test_views),       cmocka_unit_test(test_fork),
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_many),
        cmocka_unit_test(test_faults),      cmocka_unit_test(test_threads),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
