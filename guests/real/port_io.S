#define MODE real
#include "guests/guest.inc"
#include "guests/shared/port_io.inc"
