// Chooses the table. Compiled for the baseline of the platform: nothing here may need more than that.

#include "tables.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

bool kernel_enable_amx(void) {
    // Linux keeps the 8 KB of tile registers off until the process asks (arch/x86 ARCH_REQ_XCOMP_PERM).
    const int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static bool has_amx_bf16(void) {
    unsigned int a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    const unsigned int amx_bf16 = 1u << 22, amx_tile = 1u << 24;
    return (d & amx_bf16) && (d & amx_tile) && kernel_enable_amx();
}

kernel_isa kernel_best_isa(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return kernel_isa_portable;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return kernel_isa_avx2;
    if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512vnni") ||
        !__builtin_cpu_supports("avx512vbmi") || !__builtin_cpu_supports("avx512vbmi2"))
        return kernel_isa_avx512;
    return has_amx_bf16() ? kernel_isa_amx : kernel_isa_avx512bf16;
}

const kernel_table *kernel_table_for(kernel_isa isa) {
    if (isa > kernel_best_isa()) return NULL;
    switch (isa) {
    case kernel_isa_portable: return &kernel_table_portable;
    case kernel_isa_avx2: return &kernel_table_avx2;
    case kernel_isa_avx512: return &kernel_table_avx512;
    case kernel_isa_avx512bf16: return &kernel_table_avx512bf16;
    case kernel_isa_amx: return &kernel_table_amx;
    }
    return NULL;
}

#else

bool kernel_enable_amx(void) { return false; }
kernel_isa kernel_best_isa(void) { return kernel_isa_portable; }
const kernel_table *kernel_table_for(kernel_isa isa) {
    return isa == kernel_isa_portable ? &kernel_table_portable : NULL;
}

#endif
