#!/usr/bin/env bash
# Runs cargo in this workspace with everything under a sanitizer, in a folder of its own.
#
#   tests/fuzz/cargo.sh address run --bin campaign
#   tests/fuzz/cargo.sh thread test -p ...
#
# The sanitizers' runtimes come with the stable toolchain; the flag that asks for them is not stable yet, so the compiler
# is told to take it. Coverage, by which libFuzzer finds its way, is asked of LLVM directly. `--target` keeps the
# flags from what runs during the build.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
sanitizer=$1 command=$2
shift 2

flags="-Zsanitizer=$sanitizer -Cforce-frame-pointers"
if [ "$sanitizer" = address ]; then
  flags+=" -Cpasses=sancov-module"
  for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$option"
  done
else
  # The standard library is not built for it. What that hides from the tool it takes for races: see tsan.supp.
  flags+=" -Cunsafe-allow-abi-mismatch=sanitizer"
fi
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags"
exec "${CARGO:-cargo}" "$command" --locked --manifest-path "$root/tests/fuzz/Cargo.toml" \
  --target-dir "$root/target/fuzz/$sanitizer" --target x86_64-unknown-linux-gnu "$@"
