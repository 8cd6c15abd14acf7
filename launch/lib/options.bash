# Sourced by launch/local and launch/mpirun: the options that both have.
# shellcheck shell=bash disable=SC2034  # variables for the scripts that source this file

dry_run=false
hosts=""
ranks=""
threads=""

# take_option SCRIPT WORD...: reads the option at the front of the words and sets `taken` to how many words it has; to 0 if
# the first is no option of both scripts. Ends with 64 if its value is wrong.
take_option() {
  local script=$1 name=${2%%=*} value least=1
  shift
  taken=2
  value=${2:-}
  if [[ $1 == --*=* ]]; then taken=1 value=${1#*=}; fi
  case $name in
    --dry-run)
      dry_run=true taken=1
      return
      ;;
    --hosts)
      if [ -z "$value" ]; then
        echo "$script: --hosts requires a list such as node1:4,node2:4 or a host file" >&2
        exit 64
      fi
      hosts=$value
      return
      ;;
    --restarts | --restart-wait) least=0 ;;
    -n | -np | --ranks | --threads) ;;
    *)
      taken=0
      return
      ;;
  esac
  if ! [[ $value =~ ^[0-9]{1,6}$ ]] || [ "$((10#$value))" -lt "$least" ]; then
    echo "$script: $name requires a number from $least to 999999" >&2
    exit 64
  fi
  value=$((10#$value))
  case $name in
    --restarts) restarts=$value ;;
    --restart-wait) restart_wait=$value ;;
    --threads) threads=$value ;;
    *) ranks=$value ;;
  esac
}
