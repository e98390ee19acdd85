#!/bin/sh
# Set up and train once: environment .venv, installation, the default run on embedded
# synthetic data, evaluation.
#
#     sh tools/quickstart.sh [key.path=value ...]
#
# Arguments go on to `python -m mdmt_tf.train`; run_dir is runs/first unless they say
# otherwise. A finished run is evaluated again, an interrupted one goes on; nothing is
# overwritten. PYTHON=PATH chooses the interpreter for a new environment.
set -eu
cd "$(dirname "$0")/.."
. tools/environment.sh

run_dir="" settings=false
for argument in "$@"; do
    case $argument in
    -h | --help)
        sed -n '2,/^set/s/^# \{0,1\}//p' tools/quickstart.sh
        exit
        ;;
    run_dir=*) run_dir=${argument#run_dir=} ;;
    *) settings=true ;;
    esac
done
if [ -z "$run_dir" ]; then
    run_dir=runs/first
    set -- run_dir=$run_dir "$@"
fi
if $settings && [ -e "$run_dir" ]; then
    fail "$run_dir exists, with its own settings. Choose another folder: run_dir=PATH. \
Without other arguments than run_dir, an interrupted run goes on."
fi

make_environment .venv ""
python=.venv/bin/python
if [ ! -e "$run_dir" ]; then
    run "$python" -m mdmt_tf.train "$@"
    run "$python" -m mdmt_tf.evaluate "$run_dir"
    exit
fi
# A run of another version may not be readable.
trap '[ $? = 0 ] || echo "For a new run: sh tools/quickstart.sh run_dir=PATH" >&2' EXIT
if [ ! -e "$run_dir/metrics.json" ]; then
    run "$python" -m mdmt_tf.train --resume "$run_dir"
fi
run "$python" -m mdmt_tf.evaluate "$run_dir"
