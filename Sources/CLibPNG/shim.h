#ifndef CLIBPNG_SHIM_H
#define CLIBPNG_SHIM_H
#include <stdio.h>
#include <png.h>
#endif
