#!/bin/sh
# Makes an offline bundle: diascope and everything that it needs as wheels, and a script that installs them without a
# network. Run where there is internet, with the Python version and the kind of machine of the hospital's server.
#
#   sh deploy/bundle.sh FOLDER [EXTRA,EXTRA]      default extras: fast,serve,postgresql
#
# PYTHON=python3.12 chooses the interpreter; TORCH=torch==2.13.0+cpu a build of torch.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$here")
to=${1:?"usage: sh deploy/bundle.sh FOLDER [EXTRAS]"}
extras=${2:-fast,serve,postgresql}
python=${PYTHON:-python3}

if [ -e "$to" ] && [ -n "$(ls -A "$to")" ]; then
  echo "bundle.sh: $to is not empty" >&2
  exit 2
fi
mkdir -p "$to/wheels"

PYTHON="$python" sh "$source/web/build.sh"
echo "building diascope and collecting what [$extras] needs"
"$python" -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir "$to/wheels" "$source"
# shellcheck disable=SC2086
"$python" -m pip --disable-pip-version-check download --quiet --only-binary :all: --dest "$to/wheels" \
  --find-links "$to/wheels" ${TORCH:-} "diascope[$extras]"

cp "$here/install.sh" "$here/healthy.py" "$here/diascope.service" "$here/settings.toml" "$here/Containerfile" "$to/"
printf '%s\n' "$extras" > "$to/extras"
(cd "$to" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum > SHA256SUMS)
echo "$(ls "$to/wheels" | wc -l) wheels, $(du -sm "$to" | cut -f1) MB in $to; on the server: sh install.sh /opt/diascope"
