#!/bin/sh
#
# Runs a program of Windows by Wine: wine.sh FOLDER PROJECT NPM PROGRAM ARGUMENT...
#
# FOLDER has the file system that Wine needs, in `root`. The program starts in
# Z:\project, which is PROJECT. NPM has packages as Deno keeps them, or is empty: under
# Wine it finds no host to download them from.
#
# It runs in mount and process namespaces of its own. So nothing has to be unmounted,
# and wineserver, which outlives its programs by seconds, ends with this script.
# Changes of drive C: are gone afterwards, except with POLLUX_KEEP=1.

set -eu

if [ "${POLLUX_INSIDE-}" != 1 ]; then
  map=
  [ "$(id -u)" = 0 ] || map=--map-root-user
  POLLUX_INSIDE=1 exec unshare $map --mount --pid --fork --kill-child "$0" "$@"
fi

folder=$1 project=$2 npm=$3
shift 3
root=$folder/root

mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
for name in dev sys; do mount --rbind "/$name" "$root/$name"; done
mount --bind "$project" "$root/project"
if [ "${POLLUX_KEEP-}" != 1 ]; then
  mkdir "$root/tmp/changed" "$root/tmp/work"
  mount -t overlay overlay "$root/home" \
    -o "lowerdir=$root/home,upperdir=$root/tmp/changed,workdir=$root/tmp/work"
fi
# Wine asks the C library for addresses of names. The file is not replaced while another
# run reads it.
mkdir -p "$root/etc"
: >>"$root/etc/hosts"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/tmp/hosts"
mount --bind "$root/tmp/hosts" "$root/etc/hosts"
# Each run has a cache of its own: locks of Wine, which SQLite needs to share one, hold
# within one wineserver alone.
if [ -n "$npm" ]; then
  mkdir -p "$root/home/deno_dir/npm" "$root/tmp/npm" "$root/tmp/npm_work"
  mount -t overlay overlay "$root/home/deno_dir/npm" \
    -o "lowerdir=$npm,upperdir=$root/tmp/npm,workdir=$root/tmp/npm_work"
fi

# Without winedbg, a crash is an exit status.
in_root() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home WINEPREFIX=/home/.wine \
    WINESERVER=/usr/lib/wine/wineserver64 WINEDEBUG=-all \
    WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe,winedbg.exe=d \
    DENO_DIR='Z:\home\deno_dir' DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 POLLUX_WINE=1 \
    ${POLLUX_SEED:+"POLLUX_SEED=$POLLUX_SEED"} \
    unshare --root="$root" --wd=/project "$@"
}

# Without wineserver, its programs wait for ever.
end_without_server() {
  until grep -qs '^wineserver' "$root"/proc/[0-9]*/comm; do sleep 1; done
  while grep -qs '^wineserver' "$root"/proc/[0-9]*/comm; do sleep 2; done
  : >"$root/tmp/server_ended"
  kill -KILL -1
}
end_without_server &
watch=$!

status=0
in_root /usr/lib/wine/wine64 "$@" || status=$?
kill "$watch" 2>/dev/null || true
# EX_TEMPFAIL of sysexits.h: not the program has failed, but Wine.
[ ! -e "$root/tmp/server_ended" ] || status=75
# A new drive is complete when the server has ended.
[ "${POLLUX_KEEP-}" != 1 ] || in_root /usr/lib/wine/wineserver64 -w
# This shell is the first process of its namespace: all others end with it.
exit "$status"
