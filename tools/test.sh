#!/bin/sh
# Set up and run the tests: environment .venv-test, installation, pytest.
#
#     sh tools/test.sh [argument of pytest ...]       e.g. sh tools/test.sh -k heads
#
# PYTHON=PATH chooses the interpreter for a new environment.
set -eu
cd "$(dirname "$0")/.."
. tools/environment.sh

make_environment .venv-test "[test]"
run .venv-test/bin/python -m pytest -n 2 --dist loadfile "$@"
