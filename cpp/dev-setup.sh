#!/usr/bin/env bash
# Gets what the C++ side is built and tested with: from PyPI into .venv and target/, the rest from the system's
# packages. What is there already is left alone, and then nothing asks the network.
#
#   cpp/dev-setup.sh          to build: a C++ compiler, CMake, Ninja, Arrow C++
#   cpp/dev-setup.sh tests    to test: also GoogleTest, nlohmann-json, pkg-config, and an Arrow that compiles as C++17
#   cpp/dev-setup.sh sanitizers    to test under every tool: also valgrind
set -euo pipefail
cd "$(dirname "$0")/.."

# system <package>: installs it from the distribution's packages.
system() {
  local sudo=()
  if [ "$(id -u)" != 0 ]; then sudo=(sudo); fi
  echo "dev-setup: installing $1"
  if ! command -v apt-get > /dev/null || ! command -v "${sudo[0]:-env}" > /dev/null ||
     ! { "${sudo[@]}" apt-get install -y -q "$1" || { "${sudo[@]}" apt-get update -q && "${sudo[@]}" apt-get install -y -q "$1"; }; }
  then
    echo "dev-setup: could not install $1 (its name as a package of Debian); please install it and try again" >&2
    exit 1
  fi
}

# fetched <requirements> <folder>: true if the folder was filled from these very requirements.
fetched() { cmp -s "$1" "$2/$(basename "$1")"; }

command -v c++ > /dev/null || system g++
if [ ! -x .venv/bin/pip ]; then
  python3 -m venv .venv || { system python3-venv && python3 -m venv --clear .venv; }
fi
if ! fetched cpp/requirements.txt .venv; then
  .venv/bin/pip install -q --only-binary :all: -r cpp/requirements.txt
  cp cpp/requirements.txt .venv/
fi

if [ "${1-}" = tests ] || [ "${1-}" = sanitizers ]; then
  if ! c++ -E -x c++ -include gtest/gtest.h /dev/null > /dev/null 2>&1; then system libgtest-dev; fi
  if ! c++ -E -x c++ -include nlohmann/json.hpp /dev/null > /dev/null 2>&1; then system nlohmann-json3-dev; fi
  command -v pkg-config > /dev/null || system pkg-config
  if ! fetched cpp/requirements-arrow23.txt target/arrow23; then
    rm -rf target/arrow23
    .venv/bin/pip install -q --only-binary :all: --no-deps --target target/arrow23 -r cpp/requirements-arrow23.txt
    cp cpp/requirements-arrow23.txt target/arrow23/
  fi
fi
if [ "${1-}" = sanitizers ]; then
  command -v valgrind > /dev/null || system valgrind
fi
