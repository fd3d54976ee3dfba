#define MODE prot32
#include "guests/guest.inc"
#include "guests/shared/system.inc"
