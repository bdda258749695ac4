/* The header compiles when it is all that a file includes. */
#include "dividere.h"

int main(void) { return 0; }
