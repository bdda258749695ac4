/* The header may be included twice, also after what it includes itself. */
#include <stddef.h>
#include <stdint.h>

#include "dividere.h"
#include "dividere.h"

int main(void) { return 0; }
