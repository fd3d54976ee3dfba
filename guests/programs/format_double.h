// Doubles as decimal text, exactly.
#pragma once

enum { kDoubleChars = 32 };

#ifdef __cplusplus
extern "C" {
#endif

// Writes `value` and a NUL to `text` (kDoubleChars long) as "%.<precision>g" would, precision 1 to 17. Precision 0: the
// fewest digits that `value` is the nearest double to.
void format_double(char* text, double value, int precision);

#ifdef __cplusplus
}
#endif
