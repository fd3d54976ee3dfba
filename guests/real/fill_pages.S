#define MODE real
#include "guests/guest.inc"
#include "guests/shared/fill_pages.inc"
