#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# place.sh DIR FILE...: puts each FILE into the administrator's DIR, unless there is one of its name:
# his own, or a link that masks ours. meson install calls it.
set -eu
umask 022
dir=${DESTDIR:-}$1
shift
[ -d "$dir" ] || mkdir -p "$dir"
for file in "$@"; do
  to=$dir/${file##*/}
  if [ -e "$to" ] || [ -h "$to" ]; then
    continue
  fi
  cp "$file" "$to.new.$$"
  chmod 644 "$to.new.$$"
  mv -n "$to.new.$$" "$to"
  rm -f "$to.new.$$"
done
