# shellcheck shell=bash
# Shared by ci/conformance and ci/test; sourced by bash.

# Stops with the status of a broken set-up.
die() {
  echo "${0##*/}: $*" >&2
  exit 3
}

# quietly LABEL COMMAND...: output goes to a file; only a failure shows it. On a terminal: the label and the seconds it took.
quietly() {
  local label=$1 log started=$SECONDS
  shift
  log=$(mktemp) || die "no room for temporary files"
  echo "[$label]" >&2
  if ! "$@" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  echo "[$label: $((SECONDS - started)) s]" >&2
}

# build PRESET TARGET...: configures and builds; no target means everything.
build() {
  local preset=$1 targets=()
  shift
  [ $# -eq 0 ] || targets=(--target "$@")
  command -v cmake >/dev/null || die "cmake is not installed"
  quietly "configure $preset" cmake --preset "$preset" || return 1
  quietly "build $preset" cmake --build --preset "$preset" "${targets[@]}"
}
