#define MODE real
#include "guests/guest.inc"
#include "guests/shared/x87.inc"
