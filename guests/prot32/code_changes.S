#define MODE prot32
#include "guests/guest.inc"
#include "guests/shared/code_changes.inc"
