#ifndef CFITSIO_SHIM_H
#define CFITSIO_SHIM_H
#include <fitsio.h>
#endif
