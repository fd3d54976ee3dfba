#define MODE prot32
#include "guests/guest.inc"
#include "guests/shared/x87.inc"
