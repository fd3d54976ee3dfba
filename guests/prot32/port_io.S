#define MODE prot32
#include "guests/guest.inc"
#include "guests/shared/port_io.inc"
