#!/usr/bin/env bash
# Runs cargo in this workspace, with everything under a tool, in a folder of its own.
#
#   tests/fuzz/cargo.sh address run --bin campaign
#   tests/fuzz/cargo.sh valgrind test -p qadataswap-core
#
# The sanitizer's runtime comes with the stable toolchain; the flag that asks for it is not stable yet, so the compiler
# is told to take it. Coverage, by which libFuzzer finds its way, is asked of LLVM directly. `--target` keeps the
# flags from what runs during the build. Valgrind takes what is built as ever, and runs one thread at a time anyway.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
tool=$1 command=$2
shift 2

case $tool in
  address)
    flags="-Zsanitizer=address -Cforce-frame-pointers -Cpasses=sancov-module"
    for option in level=4 inline-8bit-counters pc-table trace-compares; do
      flags+=" -Cllvm-args=-sanitizer-coverage-$option"
    done
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags"
    ;;
  valgrind)
    runner="valgrind --trace-children=yes --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite"
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$runner --show-leak-kinds=definite"
    ;;
  *)
    echo "cargo.sh: $tool: unknown; there are address and valgrind" >&2
    exit 2
    ;;
esac
exec "${CARGO:-cargo}" "$command" --locked --manifest-path "$root/tests/fuzz/Cargo.toml" \
  --target-dir "$root/target/fuzz/$tool" --target x86_64-unknown-linux-gnu "$@"
