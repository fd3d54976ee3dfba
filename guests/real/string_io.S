#define MODE real
#include "guests/guest.inc"
#include "guests/shared/string_io.inc"
