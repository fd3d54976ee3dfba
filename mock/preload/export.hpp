// Marks the functions of the C library that this library replaces. Everything else is hidden; ci/checks compares the
// list of exported names with exports.txt.
#pragma once

#define KVMMOCK_EXPORT extern "C" __attribute__((visibility("default")))
