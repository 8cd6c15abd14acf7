# Sourced by launch/local and launch/mpirun: where the program and mpirun are. These scripts run from a source tree, from an
# installation and from an unpacked bundle (cluster/bundle), and need only bash and coreutils.
# shellcheck shell=bash

# help_text SCRIPT: the comment at its head, without its first line.
help_text() {
  local line number=0
  while IFS= read -r line; do
    number=$((number + 1))
    if [ "$number" -eq 1 ]; then continue; fi
    if [[ $line != '#'* ]]; then break; fi
    line=${line#'#'}
    printf '%s\n' "${line# }"
  done <"$1"
}

# find_programs SCRIPT ROOT: sets `convoy` and `mpirun`. ROOT is the folder that holds launch/: the root of a bundle or of a
# source tree, or share/convoy of an installation. CONVOY names another program. Ends with 64 if there is no program.
find_programs() {
  local script=$1 root=$2 place
  # shellcheck disable=SC2034  # used by the scripts that source this file
  mpirun=mpirun
  # shellcheck disable=SC2034
  if [ -x "$root/bin/mpirun" ]; then mpirun=$root/bin/mpirun; fi
  convoy=${CONVOY:-}
  if [ -z "$convoy" ]; then
    convoy=$root/build/convoy
    for place in "$root/bin/convoy" "$root/../../bin/convoy"; do
      if [ ! -e "$root/CMakeLists.txt" ] && [ -x "$place" ]; then
        convoy=$(cd "${place%/*}" && pwd)/convoy
        break
      fi
    done
  fi
  if [ ! -x "$convoy" ]; then
    echo "$script: $convoy does not exist; build it first: launch/build" >&2
    exit 64
  fi
}
