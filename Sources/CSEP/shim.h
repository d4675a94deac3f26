// sep.h uses size_t without its header.
#include <stddef.h>
#include <sep.h>
