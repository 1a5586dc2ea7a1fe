#!/usr/bin/env bash
# Runs the tests of the Python package against the module that cargo has built with its profile `dev`: the suite, the
# types, and the wheel, which is installed into an environment with nothing else in it.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
python=$root/.venv/bin/python

ln -sf "$target/debug/lib_qadataswap.so" python/qadataswap/_qadataswap.abi3.so
export PYTHONPATH=$PWD/python MYPYPATH=$PWD/python
"$python" -m pytest "$@"
"$python" -m mypy --config-file pyproject.toml python
"$python" -m mypy.stubtest qadataswap --mypy-config-file pyproject.toml
unset PYTHONPATH MYPYPATH

rm -rf "$target/python-test"
"$root/.venv/bin/maturin" build -q --locked --profile dev --out "$target/python-test/wheel"
"$python" -m venv "$target/python-test/venv"
"$target/python-test/venv/bin/pip" install -q --no-index "$target"/python-test/wheel/*.whl
"$target/python-test/venv/bin/python" -W error - << 'CHECK'
import array
import sys

import qadataswap

# Nothing else is there, and yet a frame goes round.
assert not qadataswap.has_arrow_support()
with qadataswap.create_writer("wheel", 4, size_mb=1) as writer, qadataswap.create_reader("wheel") as reader:
    with writer.loan({"text": str}, 2) as loan:
        loan.set_texts("text", ["a", "b"])
        loan.commit()
    first = reader.read_frame(1000)
    writer.write(first)
    second = reader.read_frame(1000)
    assert (first.schema, len(first)) == (second.schema, len(second)) == (qadataswap.Schema({"text": str}), 2)
    try:
        writer.write(first) and reader.read(1000)
    except ImportError as error:
        assert "qadataswap[arrow]" in str(error), error
        assert len(reader.read_frame(1000)) == 2, "the frame is still there"
    else:
        raise AssertionError("there is no Polars here")
assert not {"numpy", "polars", "pyarrow"} & set(sys.modules)
CHECK
module=$(find "$target/python-test/venv" -name "_qadataswap*.so")
needed=$(readelf -d "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
if others=$(grep -Ev '^(libc|libm|libgcc_s|libpthread|libdl|librt|ld-linux.*)\.so' <<< "$needed"); then
  echo "the module links what a wheel must not: $others" >&2
  exit 1
fi
echo "wheel: $(basename "$target"/python-test/wheel/*.whl), links" $needed
