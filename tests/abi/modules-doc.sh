#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# modules-doc.sh: follows the installed modules.md to the letter, against the installed tree, and
# compares what its last commands print with what the page says they do. A warning is a failure.
set -u
prefix=${SEALPIPE_PREFIX:-}

echo 1..2
if [ -z "$prefix" ]; then
  echo "ok 1 - the page's commands # SKIP no installed tree: run tests/run"
  echo "ok 2 - what they print # SKIP no installed tree: run tests/run"
  exit 0
fi
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/modules"

# The page installs into the module folder; a copy of it leaves the installed tree as it is.
pc=$(find "$prefix" -name sealpipe.pc | head -n 1)
doc=$prefix/share/doc/sealpipe
mkdir "$WORK/pkgconfig"
sed "s|^moduledir=.*|moduledir=$WORK/modules|" "$pc" >"$WORK/pkgconfig/sealpipe.pc"

# block LANGUAGE: the page's fenced blocks of that language, in order.
block() {
  awk -v fence="\`\`\`$1" '$0 == fence {on = 1; next} /^```/ {on = 0} on' "$doc/modules.md"
}

{
  echo 'set -eu'
  block sh
} >"$WORK/commands"
block text >"$WORK/expected"
lib=$(dirname "$(dirname "$pc")")
if env WORK="$WORK" PATH="$prefix/bin:$PATH" LD_LIBRARY_PATH="$lib" \
  PKG_CONFIG_PATH="$WORK/pkgconfig" SEALPIPE_MODULES="$WORK/modules" \
  sh "$WORK/commands" >"$WORK/output" 2>"$WORK/errors" && [ ! -s "$WORK/errors" ]
then
  echo "ok 1 - the page's commands"
else
  sed 's/^/# /' "$WORK/errors"
  echo "not ok 1 - the page's commands"
fi
if diff "$WORK/expected" "$WORK/output" >"$WORK/diff"; then
  echo "ok 2 - what they print"
else
  sed 's/^/# /' "$WORK/diff" "$WORK/log"
  echo "not ok 2 - what they print"
fi
