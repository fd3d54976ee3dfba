#define MODE real
#include "guests/guest.inc"
#include "guests/shared/hypercall.inc"
