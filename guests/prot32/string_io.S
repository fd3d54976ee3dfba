#define MODE prot32
#include "guests/guest.inc"
#include "guests/shared/string_io.inc"
