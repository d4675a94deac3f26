#ifndef LENTICULAR_CHAFA_SHIM_H
#define LENTICULAR_CHAFA_SHIM_H
#include <chafa.h>

/* Swift cannot read macros with a cast. */
static const ChafaSymbolTags LENTICULAR_BLOCK_SYMBOLS = (ChafaSymbolTags)(CHAFA_SYMBOL_TAG_SPACE | CHAFA_SYMBOL_TAG_SOLID |
                                                                          CHAFA_SYMBOL_TAG_HALF | CHAFA_SYMBOL_TAG_QUAD);
static const ChafaSymbolTags LENTICULAR_ASCII_SYMBOLS = (ChafaSymbolTags)CHAFA_SYMBOL_TAG_ASCII;
#endif
