#include <stddef.h>
#include <sep.h>
