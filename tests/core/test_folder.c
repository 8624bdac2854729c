/* Making folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/folder.h"

static char base[] = "/tmp/tutti-folder-XXXXXX";

static bool make(const char *below)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base, below);
    return tt_folder_make(path);
}

static void nested(void **state)
{
    (void)state;
    char path[128];
    struct stat info;
    assert_true(make("a/b c/d"));
    assert_true(make("a/b c/d"));
    assert_true(make("a//e/"));
    snprintf(path, sizeof path, "%s/a/b c/d", base);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(chdir(base), 0);
    assert_true(tt_folder_make("relative/too"));
}

static void impossible(void **state)
{
    (void)state;
    char path[PATH_MAX + 9];
    snprintf(path, sizeof path, "%s/file", base);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_false(make("file"));
    assert_int_equal(errno, EEXIST);
    assert_false(make("file/below"));
    assert_int_equal(errno, ENOTDIR);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_false(tt_folder_make(path));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_false(tt_folder_make(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested),
        cmocka_unit_test(impossible),
    };
    if (!mkdtemp(base))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command) || failed;
}
