#include "conformance.h"

int main(void)
{
    return conform("threads", CONFORM_SHARES) +
           conform("threads:1", CONFORM_SHARES) +
           conform("threads:4", CONFORM_SHARES);
}
