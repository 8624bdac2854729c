#include "conformance.h"

int main(void)
{
    return conform("openmp", CONFORM_SHARES) +
           conform("openmp:4", CONFORM_SHARES);
}
