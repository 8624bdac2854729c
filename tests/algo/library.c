/* A library of a function for traveller.c; MORE tells its builds apart. */
int square(const void *item, void *result, void *context);

int square(const void *item, void *result, void *context)
{
    int x = *(const int *)item;
    *(int *)result = x * x + *(const int *)context + MORE;
    return 0;
}
