#define MODE real
#include "guests/guest.inc"
#include "guests/shared/system.inc"
