#ifndef CFITSIO_SHIM_H
#define CFITSIO_SHIM_H
#include <fitsio.h>

/* Exported by the library, declared only in its private header: reads bytes at the position set by ffmbyt, so that a
   header can be looked at before cfitsio believes it. */
int ffgbyt(fitsfile *fptr, LONGLONG nbytes, void *buffer, int *status);

#endif
