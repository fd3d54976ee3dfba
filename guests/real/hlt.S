#define MODE real
#include "guests/guest.inc"
#include "guests/shared/hlt.inc"
