#include "conformance.h"

int main(void)
{
    return conform("auto", CONFORM_SHARES);
}
