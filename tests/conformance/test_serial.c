#include "conformance.h"

int main(void)
{
    return conform("serial", CONFORM_SHARES) +
           conform("serial:1", CONFORM_SHARES);
}
