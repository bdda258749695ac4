// Which branches of libzmq were taken, for libFuzzer: gcc's -fsanitize-coverage=trace-pc makes a call at each of them,
// which the linker brings here (--wrap, as libFuzzer has a function of that name, which does nothing). libFuzzer looks
// at the counters in this section after every input.

#include <stdint.h>

#define COUNTERS 65536

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

extern const char __executable_start;

void __wrap___sanitizer_cov_trace_pc(void) {
    // From the beginning of the program, which is somewhere else in every run.
    uintptr_t place = (uintptr_t)__builtin_return_address(0) - (uintptr_t)&__executable_start;
    uint8_t *counter = &counters[(place * UINT64_C(0x9e3779b97f4a7c15)) >> 48];
    // Many threads come here; a count that is lost now and then does no harm.
    uint8_t count = __atomic_load_n(counter, __ATOMIC_RELAXED);
    if (count < UINT8_MAX) {
        __atomic_store_n(counter, count + 1, __ATOMIC_RELAXED);
    }
}
