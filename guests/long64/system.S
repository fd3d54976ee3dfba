#define MODE long64
#include "guests/guest.inc"
#include "guests/shared/system.inc"
