/* The CPU budget on fake trees, on the real system, under a real quota. */
#define _GNU_SOURCE /* cpu_set_t */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tutti/loop.h>

#include "core/clock.h"
#include "core/cpu.h"
#include "core/settings.h"

#define V1 \
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n" \
    "33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n" \
    "32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n"
#define V2 "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
#define CPU "/sys/fs/cgroup/cpu"

static char root[] = "/tmp/tutti-cpu-XXXXXX";

/* Writes a file below the fake root, folders and all. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + sizeof root; (slash = strchr(slash, '/'));
         slash++) {
        *slash = 0;
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int clear_tree(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s/*", root);
    unsetenv("TUTTI_WORKERS");
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("SLURM_CPUS_ON_NODE");
    tt_settings_reload();
    return system(command);
}

static struct tt_cpu read_tree(void)
{
    struct tt_cpu cpu;
    tt_cpu_read(&cpu, root, 64);
    assert_int_equal(cpu.affinity, 64);
    assert_true(cpu.bound[0]);
    return cpu;
}

static void v1_limit(const char *folder, const char *quota, const char *period)
{
    char path[256];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    put(path, quota);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    put(path, period);
}

static void nothing_there(void **state)
{
    (void)state;
    assert_int_equal(read_tree().count, 64);
    put("/proc/self/cgroup", "");
    put("/proc/self/mountinfo", "");
    assert_int_equal(read_tree().count, 64);
    put("/proc/self/cgroup", "1:cpu:/a\n0::/a\n");
    assert_int_equal(read_tree().count, 64);
    put("/proc/self/mountinfo", V1 V2);
    struct tt_cpu cpu = read_tree();
    assert_int_equal(cpu.count, 64);
    assert_true(cpu.quota == 0);
    assert_string_equal(cpu.bound, "CPU affinity");
}

static void v1_nested(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "3:cpuset:/\n2:cpuacct,cpu:/a/b/c\n1:name=x:/q\n");
    put("/proc/self/mountinfo", V1);
    v1_limit(CPU, "-1\n", "100000\n");
    v1_limit(CPU "/a/b/c", "800000\n", "100000\n");
    v1_limit(CPU "/a/b", "-1\n", "100000\n");
    v1_limit(CPU "/a", "150000\n", "50000\n");
    struct tt_cpu cpu = read_tree();
    assert_int_equal(cpu.count, 3);
    assert_true(cpu.quota == 3.0);
    assert_string_equal(cpu.bound, "cgroup quota of 3.00 CPUs in " CPU "/a");
}

static void v2_nested(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/user.slice/my job\n");
    put("/proc/self/mountinfo", V2);
    put("/sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/user.slice/my job/cpu.max", "max 100000\n");
    struct tt_cpu cpu = read_tree();
    assert_int_equal(cpu.count, 2); /* rounded up */
    assert_true(cpu.quota == 1.5);
    put("/sys/fs/cgroup/user.slice/my job/cpu.max", "20000 100000\n");
    assert_int_equal(read_tree().count, 1);
    put("/proc/self/cgroup", "0::/user.slice/my job (deleted)\n");
    assert_int_equal(read_tree().count, 2);
}

static void hybrid(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "1:cpu:/\n0::/x\n");
    put("/proc/self/mountinfo",
        V1 "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    v1_limit(CPU, "500000", "100000");
    struct tt_cpu cpu = read_tree();
    assert_int_equal(cpu.count, 5);
    assert_string_equal(cpu.bound, "cgroup quota of 5.00 CPUs in " CPU);
    put("/sys/fs/cgroup/unified/x/cpu.max", "400000 100000\n");
    assert_int_equal(read_tree().count, 4);
}

static void containers(void **state)
{
    (void)state;
    /* The mount shows a subtree that holds the process. */
    put("/proc/self/cgroup", "0::/docker/1f/in\n");
    put("/proc/self/mountinfo",
        "40 31 0:38 /other /elsewhere rw - cgroup2 cgroup2 rw\n"
        "41 31 0:38 /docker/1f /mnt/a\\040b rw - cgroup2 cgroup2 rw\n");
    put("/mnt/a b/in/cpu.max", "600000 100000");
    assert_int_equal(read_tree().count, 6);
    put("/mnt/a b/cpu.max", "200000 100000");
    assert_int_equal(read_tree().count, 2);
    /* The process is outside of what the mount shows: the mount point. */
    put("/proc/self/cgroup", "0::/../x\n");
    assert_int_equal(read_tree().count, 2);
    put("/proc/self/cgroup", "0::/docker/1fa\n");
    assert_int_equal(read_tree().count, 2);
}

static void garbage(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "max",
        "x y",
        "0 100000",
        "100000 0",
        "-5 100000",
        "nan 1",
        "inf 1",
        "100000 -1",
        "1e",
        "100000x 1",
        "\n\n\n",
        "99999999999999999999999999999999 1",
        "18446744073709551615 100000",
    };
    put("/proc/self/cgroup", "\n:\n::\nx\n1:cpu\n0::/\n1:cpu:/\n");
    put("/proc/self/mountinfo", "\n - \n1 2 3 - cgroup\n - cgroup cpu cpu\n"
                                "1 2 3 / /m - cgroup2\n" V2 V1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("/sys/fs/cgroup/cpu.max", bad[i]);
        assert_int_equal(read_tree().count, 64);
        v1_limit(CPU, "-1", bad[i]);
        assert_int_equal(read_tree().count, 64);
    }
    static const char *const quotas[] = {
        "", "-1", "0", "max", "nan", "1e", "-0", "9999999999999999999999999"};
    for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
        v1_limit(CPU, quotas[i], "100000");
        assert_int_equal(read_tree().count, 64);
    }
    v1_limit(CPU, "100000", "junk");
    assert_int_equal(read_tree().count, 64);
    v1_limit(CPU, "100000", "100000");
    assert_int_equal(read_tree().count, 1);
}

static void caps(void **state)
{
    (void)state;
    setenv("SLURM_CPUS_ON_NODE", "16", 1);
    tt_settings_reload();
    assert_int_equal(read_tree().count, 16);
    setenv("SLURM_CPUS_PER_TASK", "12", 1);
    tt_settings_reload();
    struct tt_cpu cpu = read_tree();
    assert_int_equal(cpu.count, 12);
    assert_string_equal(cpu.bound, "SLURM_CPUS_PER_TASK=12");
    setenv("TUTTI_WORKERS", "5", 1);
    tt_settings_reload();
    cpu = read_tree();
    assert_int_equal(cpu.count, 5);
    assert_string_equal(cpu.bound, "TUTTI_WORKERS=5");
    setenv("TUTTI_WORKERS", "500", 1);
    tt_settings_reload();
    assert_int_equal(read_tree().count, 12);
}

static void affinity(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_true(tutti_cpu_count() <= (unsigned)CPU_COUNT(&before));
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    tt_cpu_budget();
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(tutti_cpu_count(), 1);
    assert_int_equal(tt_cpu_budget(), 1); /* at once */
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(tt_cpu_budget(), tutti_cpu_count());
}

/* Runs this program again, as `prefix self count`; its budget, or -1. */
static int count_of(const char *prefix)
{
    char self[256], command[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = 0;
    snprintf(command, sizeof command, "%s %s count", prefix, self);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void taskset(void **state)
{
    (void)state;
    char command[64];
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &mask))
        cpu++;
    snprintf(command, sizeof command, "taskset -c %d", cpu);
    assert_int_equal(count_of(command), 1);
}

/* A cgroup of version 1 for the test; false, with the reason, where none can
 * be made. */
static bool make_cgroup(char folder[64])
{
    snprintf(folder, 64, CPU "/tutti-test-%d", (int)getpid());
    if (mkdir(folder, 0700) == 0)
        return true;
    print_message("skipped: no cgroup v1 cpu hierarchy that can be written "
                  "(%s)\n",
                  strerror(errno));
    return false;
}

static void real_quota(void **state)
{
    (void)state;
    char folder[64], command[512];
    if (!make_cgroup(folder))
        skip();
    snprintf(command, sizeof command,
             "mkdir %s/in; echo 100000 >%s/cpu.cfs_quota_us; "
             "echo $$ >%s/in/cgroup.procs; exec",
             folder, folder, folder);
    int count = count_of(command);
    snprintf(command, sizeof command, "%s/in", folder);
    rmdir(command);
    rmdir(folder);
    assert_int_equal(count, 1);
}

static bool write_number(const char *folder, const char *name, long number)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    bool good = fprintf(file, "%ld\n", number) > 0;
    return fclose(file) == 0 && good;
}

/* Waits, up to 10 s, for the budget to become `count`. */
static bool becomes(unsigned count)
{
    for (int i = 0; i < 1000; i++) {
        if (tt_cpu_budget() == count)
            return true;
        usleep(10000);
    }
    return false;
}

/* The budget of a running process follows its cgroup and the quota there. */
static void quota_changes(void **state)
{
    (void)state;
    char folder[64];
    unsigned before = tt_cpu_budget();
    if (!make_cgroup(folder))
        skip();
    bool set = write_number(folder, "cpu.cfs_quota_us", 100000);
    pid_t pid = fork();
    if (pid == 0) {
        bool followed =
            write_number(folder, "cgroup.procs", getpid()) && becomes(1) &&
            write_number(folder, "cpu.cfs_quota_us", -1) && becomes(before);
        _exit(!followed);
    }
    int status;
    waitpid(pid, &status, 0);
    rmdir(folder);
    assert_true(set);
    assert_int_equal(status, 0);
}

static void cost(void **state)
{
    (void)state;
    enum { TIMES = 1000 };
    uint64_t start = tt_clock();
    for (int i = 0; i < TIMES; i++)
        tutti_cpu_count();
    uint64_t middle = tt_clock();
    for (int i = 0; i < TIMES; i++)
        tt_cpu_budget();
    print_message("tutti_cpu_count %.1f us, tt_cpu_budget %.2f us\n",
                  (double)(middle - start) / TIMES / 1e3,
                  (double)(tt_clock() - middle) / TIMES / 1e3);
}

static void spare(void **state)
{
    (void)state;
    assert_false(tt_cpu_spare(root, 2));
    put("/proc/loadavg", "0.50 1.25 17.00 2/512 4711\n");
    assert_true(tt_cpu_spare(root, 2));
    put("/proc/loadavg", "0.00 0.00 0.00 3/512 4711\n");
    assert_false(tt_cpu_spare(root, 2));
    assert_true(tt_cpu_spare(root, 3));
    put("/proc/loadavg", "0.00 0.00 0.00 1/512 4711\n");
    assert_true(tt_cpu_spare(root, 2));
    assert_false(tt_cpu_spare(root, 1)); /* this thread's */
    put("/proc/loadavg", "nonsense\n");
    assert_false(tt_cpu_spare(root, 2));
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "count"))
        return (int)tutti_cpu_count();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_there, clear_tree),
        cmocka_unit_test_setup(v1_nested, clear_tree),
        cmocka_unit_test_setup(v2_nested, clear_tree),
        cmocka_unit_test_setup(hybrid, clear_tree),
        cmocka_unit_test_setup(containers, clear_tree),
        cmocka_unit_test_setup(garbage, clear_tree),
        cmocka_unit_test_setup(caps, clear_tree),
        cmocka_unit_test_setup(affinity, clear_tree),
        cmocka_unit_test_setup(taskset, clear_tree),
        cmocka_unit_test_setup(real_quota, clear_tree),
        cmocka_unit_test_setup(quota_changes, clear_tree),
        cmocka_unit_test_setup(cost, clear_tree),
        cmocka_unit_test_setup(spare, clear_tree),
    };
    if (!mkdtemp(root))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clear_tree(NULL);
    rmdir(root);
    return failed;
}
