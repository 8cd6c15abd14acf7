# Sourced by start: finds NVIDIA's libraries on a machine that a bundle was unpacked on. The machine's own toolkit comes
# first, because it fits the driver; packages of pip give what it lacks, mostly cuDNN and NCCL.
# shellcheck shell=bash

# system_folders: the folders of the system's loader that hold NVIDIA's libraries, one per line, and the usual ones.
system_folders() {
  local ldconfig word
  for ldconfig in /sbin/ldconfig /usr/sbin/ldconfig; do
    if [ -x "$ldconfig" ]; then
      for word in $("$ldconfig" -p 2>/dev/null); do
        case $word in /*/libcud* | /*/libcublas* | /*/libnccl* | /*/libnvrtc*) printf '%s\n' "${word%/*}" ;; esac
      done
      break
    fi
  done
  printf '%s\n' /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu /usr/lib64 /usr/lib
}

# pip_folders MAJOR: the folders of NVIDIA's packages of the python3 on PATH, without packages that were built for another
# CUDA than MAJOR (cuDNN and NCCL have the same file names for each).
pip_folders() {
  local major=$1 site folder package other
  while IFS= read -r site; do
    for folder in "$site"/nvidia/*/lib; do
      package=${folder%/lib}
      package=${package##*/}
      other=""
      for other in "$site/nvidia_${package}_cu"[0-9]*.dist-info; do
        [[ $other == *"_cu$major-"* ]] && other="" && break
      done
      if [ ! -d "$folder" ] || { [ -n "$other" ] && [ -e "$other" ]; }; then continue; fi
      printf '%s\n' "$folder"
    done
  done < <(python3 -c 'import sys; print("\n".join(p for p in sys.path if p))' 2>/dev/null)
}

# take_from FOLDER…: adds the folders that hold a wanted library to `found` (in order) and takes those
# libraries from `wanted`.
take_from() {
  local folder library still
  for folder in "$@"; do
    still=()
    for library in "${wanted[@]}"; do
      if [ -e "$folder/$library" ]; then
        if [[ ":$found:" != *":$folder:"* ]]; then found=$found${found:+:}$folder; fi
      else
        still+=("$library")
      fi
    done
    wanted=("${still[@]}")
  done
}

# find_nvidia FILE: FILE lists the libraries that the CUDA module needs. Puts their folders into LD_LIBRARY_PATH, behind those
# that it has already. The programs that this process starts do not search again.
find_nvidia() {
  local wanted=() folders=() found="" own major
  if [ -n "${CONVOY_NVIDIA_FOUND+set}" ] || [ ! -e "$1" ]; then return; fi
  mapfile -t wanted <"$1"
  major=${wanted[0]##*.so.}
  IFS=: read -ra folders <<<"${CONVOY_NVIDIA:-}"
  take_from "${folders[@]}"
  own=$found
  IFS=: read -ra folders <<<"${LD_LIBRARY_PATH:-}"
  take_from "${folders[@]}"
  take_from ${CUDA_HOME:+"$CUDA_HOME/lib64"} ${CUDA_PATH:+"$CUDA_PATH/lib64"} /usr/local/cuda/lib64 \
    /usr/local/cuda-"$major"*/lib64 /usr/local/nvidia/lib64 /usr/lib/wsl/lib
  if [ "${#wanted[@]}" -gt 0 ]; then
    mapfile -t folders < <(system_folders)
    take_from "${folders[@]}"
  fi
  # Only where there is a GPU: starting Python takes a while.
  if [ "${#wanted[@]}" -gt 0 ] && { [ -e /dev/nvidiactl ] || [ -e /dev/dxg ]; }; then
    mapfile -t folders < <(pip_folders "$major")
    take_from "${folders[@]}"
  fi
  export CONVOY_NVIDIA_FOUND=$found
  # What LD_LIBRARY_PATH had stays in front, but for folders that CONVOY_NVIDIA names.
  if [ -n "$found" ]; then
    export LD_LIBRARY_PATH=$own${own:+:}${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$found
  fi
}
