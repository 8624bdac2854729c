/* The length of each row of a table:
 *
 *     tutti map examples/norm.c:norm --over points.npy -o norms.npy
 */
#include <math.h>

double norm(const double *row, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += row[i] * row[i];
    return sqrt(sum);
}
