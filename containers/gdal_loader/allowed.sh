#!/bin/sh
# Whether a file may be loaded by its path: below LOCARIA_FILE_ROOTS where that is set, and no
# pseudo file in any case.
case $1 in /proc/* | /sys/* | /dev/*) exit 1 ;; esac
[ -f "$1" ] || exit 1
[ -n "${LOCARIA_FILE_ROOTS:-}" ] || exit 0
IFS=:
for root in $LOCARIA_FILE_ROOTS; do
  case $1 in "$(readlink -m -- "$root")"/*) exit 0 ;; esac
done
exit 1
