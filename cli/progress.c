#include "progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int cli_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

void cli_progress_start(struct cli_progress *bar)
{
    bar->began = clock_now();
    bar->shown = isatty(STDERR_FILENO);
    bar->drawn = false;
    bar->columns = cli_columns();
}

/* "1.2 M/s" */
static void format_rate(char *out, size_t size, double rate)
{
    const char *unit = "";
    if (rate >= 999.5e6)
        rate /= 1e9, unit = " G";
    else if (rate >= 999.5e3)
        rate /= 1e6, unit = " M";
    else if (rate >= 999.5)
        rate /= 1e3, unit = " k";
    snprintf(out, size, "%.3g%s/s", rate, unit);
}

/* "2:05", "1:02:05" */
static void format_time(char *out, size_t size, double seconds)
{
    if (!(seconds < 1e7)) {
        snprintf(out, size, "?");
        return;
    }
    unsigned s = (unsigned)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, size, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%u:%02u", s / 60, s % 60);
}

int cli_progress_draw(void *arg, size_t done, size_t n)
{
    struct cli_progress *bar = arg;
    if (!bar->shown)
        return 0;
    char cells[64], rate[24], left[24], text[128];
    double spent = clock_now() - bar->began, part = n ? done / (double)n : 1;
    int width = bar->columns - 44;
    width = width < 4 ? 4 : width > 40 ? 40 : width;
    for (int i = 0; i < width; i++)
        cells[i] = i < (int)(part * width) ? '#' : '.';
    cells[width] = 0;
    format_rate(rate, sizeof rate, spent > 0 ? (double)done / spent : 0);
    if (done == n)
        format_time(left, sizeof left, spent);
    else
        format_time(left, sizeof left, spent / part * (1 - part));
    snprintf(text, sizeof text, "%3d %% [%s] %s, %s %s", (int)(part * 100),
             cells, rate, left, done == n ? "in all" : "left");
    fprintf(stderr, "\r%.*s\033[K", bar->columns - 1, text);
    fflush(stderr);
    bar->drawn = true;
    return 0;
}

void cli_progress_end(struct cli_progress *bar)
{
    if (bar->drawn)
        fputc('\n', stderr);
    bar->drawn = false;
}
