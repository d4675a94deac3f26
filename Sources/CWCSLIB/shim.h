#ifndef CWCSLIB_SHIM_H
#define CWCSLIB_SHIM_H
#include <wcslib/wcs.h>
#include <wcslib/wcshdr.h>
#include <wcslib/wcsfix.h>
#include <wcslib/wcserr.h>
#include <wcslib/dis.h>
#endif
