# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/run, scripts/test and .ci/run: packages, tools, configuring, MPI's environment.
# All messages go to stderr. Set-up failures end the script with exit code 2.

shardmark_root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)

# shellcheck disable=SC2034 # for the scripts that source this
build_packages=(build-essential cmake ninja-build ccache pkg-config openmpi-bin libopenmpi-dev
  libhdf5-openmpi-dev libfmt-dev libbenchmark-dev libcli11-dev libtomlplusplus-dev
  nlohmann-json3-dev libxxhash-dev)
# shellcheck disable=SC2034
test_packages=(libgtest-dev libgmock-dev libfuse3-dev fuse3 hdf5-tools python3 python3-numpy python3-h5py
  python3-jsonschema python3-scipy python3-xxhash)
missing_packages=()
install_refusal=

say() { printf '%s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit 2
}

own_libraries_advice() {
  say "  To use your own MPI and HDF5: load their modules, or set CC, CXX, MPI_HOME, HDF5_ROOT (an HDF5"
  say "  built with --enable-parallel) and CMAKE_PREFIX_PATH (fmt, benchmark, CLI11, tomlplusplus,"
  say "  nlohmann_json, xxHash, GTest; separated by ':'), then run this again."
}

# Sets missing_packages to those of the given Debian packages that are not installed.
find_missing_packages() {
  local installed package
  missing_packages=()
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null)
  for package in "$@"; do
    [[ $'\n'$installed$'\n' == *$'\n'"installed $package"$'\n'* ]] || missing_packages+=("$package")
  done
}

# Prints the command prefix that may run apt-get; fails and sets install_refusal if there is none.
set_apt_prefix() {
  apt_prefix=()
  if [[ ${SHARDMARK_INSTALL:-auto} == never ]]; then
    install_refusal="installing is switched off (--no-install or SHARDMARK_INSTALL=never)"
  elif ((EUID == 0)); then
    return 0
  elif ! command -v sudo >/dev/null; then
    install_refusal="this is not root and there is no sudo"
  elif sudo -n true 2>/dev/null || [[ -t 0 ]]; then
    apt_prefix=(sudo)
    return 0
  else
    install_refusal="sudo wants a password and there is no terminal to ask for it"
  fi
  return 1
}

apt_install() {
  local attempt
  say "installing ${#} Debian packages: $*"
  for attempt in 1 2 3; do
    if "${apt_prefix[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
        -o Acquire::Retries=3 update >&2 &&
      "${apt_prefix[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 --no-install-recommends install "$@" >&2; then
      return 0
    fi
    ((attempt == 3)) || { say "apt-get failed (try $attempt of 3); again in 5 s"; sleep 5; }
  done
  return 1
}

# Installs what is missing of the given packages where that is allowed. Where it is not, the build
# may still work with libraries of the user's own, so the missing names are only kept for messages.
ensure_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    install_refusal="this system has no apt-get"
    missing_packages=("$@")
    return
  fi
  find_missing_packages "$@"
  if ((${#missing_packages[@]} == 0)) || ! set_apt_prefix; then
    return
  fi
  if apt_install "${missing_packages[@]}"; then
    find_missing_packages "$@"
  else
    install_refusal="apt-get failed, see above"
  fi
}

# require_tools NAME...: ends with the list of commands that are not there.
require_tools() {
  local tool absent=()
  for tool in "$@"; do
    command -v "$tool" >/dev/null || absent+=("$tool")
  done
  if ((${#absent[@]} > 0)); then
    say "error: these commands are not there: ${absent[*]}"
    report_missing_packages
    own_libraries_advice
    exit 2
  fi
}

report_missing_packages() {
  if ((${#missing_packages[@]} > 0)); then
    say "  Not installed by this script: $install_refusal. Debian's names of what is missing:"
    say "    ${missing_packages[*]}"
  fi
}

require_build_tools() {
  local version
  require_tools cmake ninja "${CC:-cc}" "${CXX:-c++}"
  version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
  if ! printf '3.25\n%s\n' "$version" | sort -C -V; then
    die "CMake $version at $(command -v cmake) is too old: Shardmark needs 3.25 or newer"
  fi
}

# refuse_unwritable DIR: a folder or a file in it that another user owns stops ninja half-way.
refuse_unwritable() {
  local file
  for file in "$1" "$1"/{CMakeCache.txt,build.ninja,.ninja_log,.ninja_deps,.lock,configured-with}; do
    if [[ -e $file && ! -w $file ]]; then
      die "$file belongs to $(stat -c %U "$file") and $(id -un) cannot write it" \
        "The checkout was built by another user. Use a checkout of your own, or once:" \
        "sudo chown -R $(id -un) '$1'"
    fi
  done
}

# Everything outside the tree that a configured build folder depends on.
configuration_fingerprint() {
  printf '%s\n' "source=$shardmark_root" "cmake=$(command -v cmake)" "CC=${CC:-}" "CXX=${CXX:-}" \
    "MPI_HOME=${MPI_HOME:-}" "HDF5_ROOT=${HDF5_ROOT:-}" "CMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH:-}"
}

# configure PRESET: only when the folder is new, was configured for another place or other
# libraries, or the presets changed. Changed CMakeLists.txt files are ninja's own affair.
configure() {
  local preset=$1 build=$shardmark_root/build/$1 fresh=()
  local stamp=$build/configured-with
  if [[ -f $build/build.ninja && $(cat "$stamp" 2>/dev/null) == "$(configuration_fingerprint)" ]]; then
    [[ $shardmark_root/CMakePresets.json -nt $stamp ]] || return 0
  elif [[ -e $build/CMakeCache.txt ]]; then
    say "configuring $build afresh: it was made for another place, other libraries, or not completed"
    fresh=(--fresh)
  fi
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
  if ! (cd -- "$shardmark_root" && cmake --preset "$preset" "${fresh[@]}") >&2; then
    say "error: CMake could not configure preset '$preset'; its own message above names what is missing"
    if [[ $shardmark_root == *[[:space:]]* ]]; then
      say "  The path '$shardmark_root' has a space: HDF5's compiler wrapper fails there. Move the checkout."
    fi
    report_missing_packages
    own_libraries_advice
    exit 2
  fi
  configuration_fingerprint >"$stamp"
}

# build_preset PRESET [TARGET...]: configures where needed and builds the targets, or everything; one script at a
# time in one folder.
build_preset() {
  local preset=$1 build=$shardmark_root/build/$1 targets=("${@:2}")
  require_build_tools
  if ! grep -q "\"name\": *\"$preset\"" "$shardmark_root/CMakePresets.json"; then
    die "no preset '$preset' in CMakePresets.json"
  fi
  refuse_unwritable "$shardmark_root/build"
  refuse_unwritable "$build"
  mkdir -p -- "$build" || die "cannot create $build"
  if command -v flock >/dev/null; then
    exec {build_lock}>>"$build/.lock" || die "cannot lock $build/.lock"
    flock -n "$build_lock" 2>/dev/null
    # Anything but 1: the file system has no locks, and nobody is waited for.
    if (($? == 1)); then say "waiting for another build in $build"; flock "$build_lock"; fi
  fi
  configure "$preset"
  if ! cmake --build "$build" --parallel "$(nproc)" ${targets[@]:+--target "${targets[@]}"} >&2; then
    die "the build of preset '$preset' failed, see above"
  fi
  [[ -z ${build_lock:-} ]] || exec {build_lock}>&-
}

# Root in containers, and MPI test programs, are normal. Oversubscription is asked for only where
# mpirun starts more ranks than this machine has cores and no batch system says where they go:
# unbound ranks that yield are right there and cost speed elsewhere.
set_mpi_environment() {
  local ranks=$1 cores
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
  [[ -z ${SLURM_JOB_ID:-}${PBS_JOBID:-}${LSB_JOBID:-} ]] || return 0
  cores=$(lscpu -p=core,socket 2>/dev/null | grep -v '^#' | sort -u | wc -l)
  if ((cores < 1 || cores > $(nproc))); then
    cores=$(nproc)
  fi
  if ((ranks > cores)); then
    export OMPI_MCA_rmaps_base_oversubscribe=${OMPI_MCA_rmaps_base_oversubscribe:-1}
    export OMPI_MCA_hwloc_base_binding_policy=${OMPI_MCA_hwloc_base_binding_policy:-none}
    export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle:-1}
    # Open MPI 5 leaves these two to PRRTE.
    export PRTE_MCA_rmaps_default_mapping_policy=${PRTE_MCA_rmaps_default_mapping_policy:-:oversubscribe}
    export PRTE_MCA_hwloc_default_binding_policy=${PRTE_MCA_hwloc_default_binding_policy:-none}
  fi
}
