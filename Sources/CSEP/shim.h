#include <sep.h>
