// Where a program's image lies, for its start-up code, the linker and the host that runs it.
#pragma once

// Written once, 32 bits wide: the address of struct Output, as the program sees it.
#define PROGRAM_PORT 0x50
