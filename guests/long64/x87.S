#define MODE long64
#include "guests/guest.inc"
#include "guests/shared/x87.inc"
