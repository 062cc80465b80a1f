# shellcheck shell=bash
# Command line options of a recipe: declared once, then parsed and shown by --help.
#
# `add_option name default "help"`, `add_path name default "help"` and `add_flag name "help"` declare an
# option; `parse_options "$@"` assigns the shell variable of that name and exports it for the stages. A user
# writes --name value or --name=value; - and _ are the same in a name; a flag stands alone or takes true or
# false. Anything unknown ends with exit code 2. `settle_paths` makes the paths absolute.

OPTION_NAMES=() OPTION_PATHS=()
declare -A OPTION_DEFAULTS=() OPTION_HELP=() OPTION_IS_FLAG=() OPTION_GIVEN=()

add_option() {
  OPTION_NAMES+=("$1")
  OPTION_DEFAULTS[$1]=$2
  OPTION_HELP[$1]=$3
  printf -v "$1" '%s' "$2"
  export "${1?}"
}

# A file or folder. One whose name ends in _config must exist if it is given.
add_path() {
  add_option "$@"
  OPTION_PATHS+=("$1")
}

add_flag() {
  add_option "$1" false "$2"
  OPTION_IS_FLAG[$1]=true
}

fail() {
  echo "error: $*" >&2
  exit 2
}

parse_options() {
  local given name value
  while (($# > 0)); do
    given=$1
    shift
    [[ $given == -h ]] && given=--help
    [[ $given == --?* ]] || fail "unexpected argument '$given'; options look like --name value"
    name=${given#--}
    name=${name%%=*}
    name=${name//-/_}
    [[ $name == help ]] && { show_help; exit 0; }
    [[ -v OPTION_HELP[$name] ]] || fail "unknown option '${given%%=*}'; $(suggest_option "$name")"
    if [[ $given == *=* ]]; then
      value=${given#*=}
    elif [[ -v OPTION_IS_FLAG[$name] ]]; then
      value=true
      if [[ ${1-} == true || ${1-} == false ]]; then
        value=$1
        shift
      fi
    else
      (($# > 0)) || fail "option --$name needs a value: ${OPTION_HELP[$name]}"
      value=$1
      shift
    fi
    if [[ -v OPTION_IS_FLAG[$name] && $value != true && $value != false ]]; then
      fail "--$name is '$value'; expected true or false, or the option alone"
    fi
    printf -v "$name" '%s' "$value"
    OPTION_GIVEN[$name]=true
  done
}

# Gives an option the user left out another default, once others are known (--debug, for one).
default_option() {
  [[ -v OPTION_GIVEN[$1] ]] || printf -v "$1" '%s' "$2"
}

check_number() {
  local name
  for name in "$@"; do
    [[ ${!name} =~ ^(0|[1-9][0-9]*)$ ]] || fail "--$name is '${!name}'; expected a whole number, 0 or more"
  done
}

# Makes the paths absolute: stages start in the repository, whatever folder the user is in.
settle_paths() {
  local name
  for name in "${OPTION_PATHS[@]}"; do
    [[ -n ${!name} ]] || continue
    printf -v "$name" '%s' "$(realpath -m -- "${!name}")"
    [[ $name != *_config || -f ${!name} ]] || fail "--$name: no file ${!name}; conf/ holds the configurations"
  done
}

suggest_option() {
  local near=
  near=$(python3 - "$1" "${OPTION_NAMES[@]}" help 2>/dev/null <<'PYTHON'
import difflib
import sys

print(*difflib.get_close_matches(sys.argv[1], sys.argv[2:], n=1, cutoff=0.5))
PYTHON
  ) || true
  if [[ -n $near ]]; then
    echo "did you mean --$near?"
  else
    echo "--help lists them all"
  fi
}

show_options() {
  local name default width=4
  for name in "${OPTION_NAMES[@]}"; do ((${#name} <= width)) || width=${#name}; done
  for name in "${OPTION_NAMES[@]}"; do
    default=${OPTION_DEFAULTS[$name]}
    [[ -n $default ]] && default=" [$default]"
    [[ -v OPTION_IS_FLAG[$name] ]] && default=
    printf '  --%-*s %s%s\n' "$width" "$name" "${OPTION_HELP[$name]}" "$default"
  done
  printf '  --%-*s %s\n' "$width" help "show this"
}
