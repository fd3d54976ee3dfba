#!/usr/bin/env bash
# Installs a build into a folder, moves it, and builds the outside project against it: by CMake package and by pkg-config.
# check.sh BUILD_FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/tree"

cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/tree" >"$work/log" 2>&1 &&
  cmake --build "$work/build" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for program in outside_c outside_cpp; do
  said=$("$work/build/$program")
  [ "$said" = "API version 12" ] || { echo "$program said: $said"; exit 1; }
done

PKG_CONFIG_PATH=$(dirname "$(find "$work/tree" -name kvmmock.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc "$here/main.c" $(pkg-config --cflags --libs kvmmock) -Wl,-rpath,"$(pkg-config --variable=libdir kvmmock)" -o "$work/by_pkg_config"
said=$("$work/by_pkg_config")
[ "$said" = "API version 12" ] || { echo "the program built with pkg-config said: $said"; exit 1; }
# shellcheck disable=SC2046
c++ -x c++ - -fsyntax-only $(pkg-config --cflags kvmapi) <<'CODE'
#include "kvmapi/vcpu.hpp"
static_assert(sizeof(kvmapi::kvm_run) == 2352);
CODE
"$work/tree/bin/kvmmock" -- python3 -c "import os; os.open('/dev/kvm', os.O_RDWR)"
"$work/tree/bin/kvm-conformance" --help >"$work/log"
echo "the install tree serves CMake, pkg-config and its own programs"
