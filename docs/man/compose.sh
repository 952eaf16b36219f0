#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# compose.sh HEAD FOOT OUTPUT CONFDIR PROGRAM MODULE...: puts the settings tables that PROGRAM writes
# between the head and the foot of a manual page.
set -eu
head=$1 foot=$2 output=$3 confdir=$4
shift 4
tables=$(ASAN_OPTIONS=detect_leaks=0 "$@")
{
  sed "s|@CONFDIR@|$confdir|g" "$head"
  printf '%s\n' "$tables"
  sed "s|@CONFDIR@|$confdir|g" "$foot"
} >"$output"
