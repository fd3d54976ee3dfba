#define MODE real
#include "guests/guest.inc"
#include "guests/shared/code_changes.inc"
