// Chooses the table. Compiled for the baseline of the platform: nothing here may need more than that.

#include "tables.h"

bool kernel_enable_amx(void) { return false; }
kernel_isa kernel_best_isa(void) { return kernel_isa_portable; }
const kernel_table *kernel_table_for(kernel_isa isa) {
    return isa == kernel_isa_portable ? &kernel_table_portable : NULL;
}
