#include "ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/eventfd.h>
#include <unistd.h>

void make(struct ends *ends)
{
    int theirs;
    ends->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int bells[2] = {ends->bell, ends->bell};
    assert_int_equal(tt_channel_make(&ends->place, bells, &theirs), TUTTI_OK);
    assert_int_equal(tt_channel_take(&ends->worker, theirs), TUTTI_OK);
}

void fini(struct ends *ends)
{
    tt_channel_fini(&ends->place);
    tt_channel_fini(&ends->worker);
    close(ends->bell);
}

char pattern(uint64_t begin, size_t i)
{
    return (char)(begin * 31 + i * 7 + (i >> 12));
}

void fill(char *data, uint64_t begin, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = pattern(begin, i);
}

void check(const void *data, uint64_t begin, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const char *)data)[i] != pattern(begin, i))
            fail_msg("byte %zu of message %llu", i, (unsigned long long)begin);
}

void put(struct tt_channel *channel, uint64_t begin, size_t size,
         const size_t *blocks)
{
    static char data[8 << 20];
    struct tt_frame frame = {.kind = TT_FRAME_RANGE, .begin = begin};
    struct tt_mark mark;
    assert_int_equal(tt_frame_open(&channel->out, &mark), TUTTI_OK);
    fill(data, begin, size);
    assert_int_equal(tutti_bytes_append(&channel->out, data, size), TUTTI_OK);
    for (; blocks && *blocks; blocks++) {
        fill(data, begin + 1000, *blocks);
        assert_int_equal(tutti_bytes_attach(&channel->out, data, *blocks),
                         TUTTI_OK);
    }
    assert_int_equal(tt_frame_close(&channel->out, mark, frame), TUTTI_OK);
}

bool take(struct tt_channel *channel, uint64_t begin, size_t size,
          const size_t *blocks)
{
    struct tt_frame frame;
    tutti_parcel parcel;
    bool there;
    size_t count = 0;
    if (tt_channel_next(channel, &there, &frame, &parcel))
        fail_msg("message %d: %s", (int)begin, tutti_detail());
    if (!there)
        return false;
    assert_int_equal(frame.begin, begin);
    assert_int_equal(frame.size, size);
    assert_int_equal(parcel.size, size);
    assert_int_equal((uintptr_t)parcel.data % 16, 0);
    check(parcel.data, begin, size);
    for (; blocks && blocks[count]; count++) {
        assert_int_equal(tutti_block_size(parcel.blocks[count]), blocks[count]);
        check(tutti_block_data(parcel.blocks[count]), begin + 1000,
              blocks[count]);
    }
    assert_int_equal(parcel.count, count);
    return true;
}

size_t count_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
