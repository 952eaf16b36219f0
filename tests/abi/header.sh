#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# header.sh LANGUAGE SOURCE: compiles sealpipe.h alone, with every warning an error.
set -u
language=$1
source=$2
case $language in
  c) compiler=${CC:-cc} standard=gnu17 ;;
  *) compiler=${CXX:-c++} standard=gnu++17 ;;
esac

echo 1..1
if printf '#include "core/sealpipe.h"\n' |
  "$compiler" -x "$language" -std="$standard" -Wall -Wextra -Werror -fsyntax-only -I"$source" \
    $(pkg-config --cflags gio-2.0) - 2>&1 | sed 's/^/# /' | tee /dev/stderr | grep -q .
then
  echo "not ok 1 - sealpipe.h compiles alone as $language"
  exit 1
fi
echo "ok 1 - sealpipe.h compiles alone as $language"
