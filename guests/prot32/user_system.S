#define MODE prot32
#include "guests/guest.inc"
#include "guests/shared/user_system.inc"
