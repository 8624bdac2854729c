#include "conformance.h"

int main(void)
{
    return conform("processes:2", 0);
}
