#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# exports.sh LIBRARY SOURCE: what the library exports is what its two headers declare, no more and
# no less.
set -u
library=$1
source=$2
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

nm -D --defined-only "$library" | awk '{print $3}' | sed 's/@.*//' | sort -u >"$folder/exported"
# A declaration may span lines; its name is the word before the first parenthesis.
cat "$source/core/sealpipe.h" "$source/core/sealpipe-keeping.h" "$source/core/sealpipe-files.h" "$source/core/sealpipe-keys.h" "$source/core/frontend.h" "$source/core/frontend-keys.h" "$source/core/frontend-tally.h" | grep -v '^#' | tr '\n' ' ' |
  grep -oE 'SEAL_(API|FRONT) [^;(]*\(' | sed -E 's/.*[ *]([a-z0-9_]+)\($/\1/' |
  sort -u >"$folder/declared"

echo 1..2
lines=$(wc -l <"$folder/declared")
if [ "$lines" -gt 50 ]; then
  echo "ok 1 - the headers declare $lines functions"
else
  echo "not ok 1 - only $lines declarations were found in the headers"
fi
if diff "$folder/declared" "$folder/exported" >"$folder/diff"; then
  echo "ok 2 - exported and declared are the same"
else
  sed 's/^/# /' "$folder/diff"
  echo "not ok 2 - exported and declared differ"
fi
