/* A program that runs a loop in worker processes, built in several ways:
 *
 *     traveller here | moved | deleted | prints | library FILE [FILE] |
 *         updated LIBTUTTI OTHER
 *
 * Ends with 0 if all was as it should be; says what was not. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tutti.h>

#define N 20

static int made, started; /* by the constructor, by main() */

__attribute__((constructor)) static void make(void)
{
    made = 100;
    if (getenv("MADE"))
        printf("made ");
}

/* The constructor has run, main() has not. */
static int square(const void *item, void *result, void *context)
{
    int x = *(const int *)item;
    *(int *)result = x * x + made + started + *(const int *)context;
    return 0;
}

static int say(size_t index, void *context)
{
    (void)context;
    if (index == 0) {
        printf("a worker's line\n");
        usleep(50000); /* the other worker runs tasks, too */
    }
    if (index < N - 1)
        return 0;
    usleep(200000); /* until that is printed */
    signal(SIGSEGV, SIG_DFL);
    return raise(SIGSEGV);
}

static int complain(const char *what)
{
    printf("%s: %s\n", what, tutti_detail());
    return 1;
}

static tutti_status run(tutti_map_fn f, int y[N])
{
    int x[N], context = 1000;
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:2";
    for (int i = 0; i < N; i++)
        x[i] = i;
    return tutti_map(f, (tutti_array){x, sizeof *x},
                     (tutti_array){y, sizeof *y}, N, &context, sizeof context,
                     &options);
}

static int check(tutti_map_fn f, int more)
{
    int y[N];
    if (run(f, y) != TUTTI_OK)
        return complain("it did not run");
    for (int i = 0; i < N; i++)
        if (y[i] != i * i + more) {
            printf("result %d is %d, not %d\n", i, y[i], i * i + more);
            return 1;
        }
    return 0;
}

static int print(void)
{
    tutti_options options = TUTTI_OPTIONS_INIT;
    options.on = "processes:2";
    printf("the caller's line\n");
    if (tutti_for(say, N, NULL, 0, &options) != TUTTI_ELOST)
        return complain("not lost");
    return !strstr(tutti_detail(), "SIGSEGV");
}

/* A function of a library; when there is another file, that one takes the
 * library's place first. */
static int use_library(const char *file, const char *other)
{
    int y[N];
    void *library = dlopen(file, RTLD_NOW);
    void *symbol = library ? dlsym(library, "square") : NULL;
    tutti_map_fn f;
    if (!symbol)
        return printf("%s\n", dlerror()), 1;
    memcpy(&f, &symbol, sizeof f);
    if (!other)
        return check(f, 1000);
    if (strcmp(other, "none") == 0 ? unlink(file) : rename(other, file))
        return perror(other), 1;
    if (run(f, y) != TUTTI_EPLACE)
        return complain("not refused");
    printf("%s\n", tutti_detail());
    return 0;
}

/* Another libtutti takes the place of the one that runs. */
static int update(const char *file, const char *other)
{
    int y[N];
    if (rename(other, file) != 0)
        return perror(other), 1;
    if (run(square, y) != TUTTI_ESYS)
        return complain("not refused");
    return 0;
}

int main(int argc, char **argv)
{
    const char *act = argc > 1 ? argv[1] : "";
    started = 7;
    if (strcmp(act, "library") == 0 && argc > 2)
        return use_library(argv[2], argv[3]);
    if (strcmp(act, "updated") == 0 && argc > 3)
        return update(argv[2], argv[3]);
    if (strcmp(act, "prints") == 0)
        return print();
    if (strcmp(act, "moved") == 0 && chdir("/") != 0)
        return perror("/"), 1;
    if (strcmp(act, "deleted") == 0 && unlink(argv[0]) != 0)
        return perror(argv[0]), 1;
    if (strcmp(act, "here") && strcmp(act, "moved") && strcmp(act, "deleted"))
        return printf("this is main(), which got \"%s\"\n", act), 2;
    return check(square, 1100);
}
