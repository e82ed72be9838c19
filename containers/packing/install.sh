#!/bin/sh
# In the first stage of an image: what pip is told to install, in /opt/venv, without pip and what no program runs.
# The second stage copies that folder alone: no compiler's or pip's leavings in any layer.
set -eu
here=$(dirname "$(readlink -f "$0")")
python3 -m venv --without-pip /opt/venv
python3 -m pip --python /opt/venv/bin/python install --no-cache-dir --no-compile "$@"
cp "$here/healthcheck.py" /opt/venv/bin/healthcheck
chmod 755 /opt/venv/bin/healthcheck
/opt/venv/bin/python "$here/slim.py" /opt/venv
# Not by the files' times, which builders change: else Python compiled everything at every start, on a read-only disk.
/opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib
