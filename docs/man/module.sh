#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# module.sh PAGE OUTPUT PROGRAM MODULE: puts the settings table that PROGRAM writes of a module into its
# page, in the place of the line @SETTINGS@.
set -eu
page=$1 output=$2
shift 2
table=$(ASAN_OPTIONS=detect_leaks=0 "$1" --module "$2")
{
  sed '/^@SETTINGS@$/,$d' "$page"
  printf '%s\n' "$table"
  sed '1,/^@SETTINGS@$/d' "$page"
} >"$output"
