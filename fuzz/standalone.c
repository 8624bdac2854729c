/* Runs a fuzz target over the files of the folders given, as a plain test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is copied to its exact size, so that a sanitizer sees a read
 * beyond it. */
static int run_file(const char *path)
{
    static uint8_t room[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return 0;
    size_t size = fread(room, 1, sizeof room, file);
    fclose(file);
    uint8_t *data = malloc(size ? size : 1);
    if (data == NULL)
        return 0;
    for (size_t i = 0; i < size; i++)
        data[i] = room[i];
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int run_folder(const char *folder)
{
    char path[4096];
    int n = 0;
    DIR *all = opendir(folder);
    if (all == NULL)
        return 0;
    for (struct dirent *one; (one = readdir(all)) != NULL;)
        if (one->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", folder, one->d_name) <
                (int)sizeof path)
            n += run_file(path);
    closedir(all);
    return n;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int n = run_folder(argv[i]);
        printf("%s: %d inputs\n", argv[i], n);
        if (n == 0)
            return 1;
    }
    return argc > 1 ? 0 : 2;
}
