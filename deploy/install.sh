#!/bin/sh
# Installs an offline bundle, without any network. Run in or by its path: sh BUNDLE/install.sh [FOLDER]
#
# FOLDER (default /opt/diascope) becomes a virtual environment. PYTHON=python3.12 chooses the interpreter. An older
# version there is replaced by the new one: back up first (diascope backup), stop the service, start it afterwards.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
to=${1:-/opt/diascope}
python=${PYTHON:-python3}

echo "comparing every file of the bundle with its hash"
(cd "$here" && sha256sum --quiet --check SHA256SUMS)

umask 022
[ -x "$to/bin/python" ] || "$python" -m venv "$to"
# --isolated: no setting and no variable of this machine may name another source.
"$to/bin/python" -m pip --isolated --disable-pip-version-check install --quiet --no-index --no-cache-dir \
  --find-links "$here/wheels" --upgrade "diascope[$(cat "$here/extras")]"
"$to/bin/python" -m pip --isolated --disable-pip-version-check check
cp "$here/healthy.py" "$to/healthy.py"
echo "installed: $("$to/bin/python" -c 'from importlib.metadata import version; print("diascope", version("diascope"))') in $to"
