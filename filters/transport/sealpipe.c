/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sealpipe: Exim's transport_filter. A message in, the sealed message out, or 75.
 */
#include "filters/client/client.h"

static const char usage[] =
    "Usage: sealpipe [OPTION]... -- RECIPIENT...\n"
    "Reads a message from standard input and writes it, encrypted for the recipients, to\n"
    "standard output. Made for Exim's transport_filter.\n"
    "\n"
    "  -c DIR                 configuration folder, instead of the built-in conf.d\n"
    "  -d outbound|inbound    the message's way; outbound unless given\n"
    "  -f SENDER              envelope sender; '' and '<>' are the null sender\n"
    "      --id ID            the message's id in the log\n"
    "      --submission=yes|no\n"
    "                         whether the sender may use the mail server\n"
    "      --login LOGIN      who logged in; empty for nobody\n"
    "      --exim-spool DIR   Exim's folder of messages, from which with --id the login is read\n"
    "      --debug            log to standard error as well; never in an MTA\n"
    "      --help             print this and exit\n"
    "      --version          print the version and exit\n"
    "\n"
    "Exit status: 0, with the whole result on standard output, or 75 (try again later), with\n"
    "nothing on it and the reason in the log.\n";

const SealClient seal_client = {
    .name = "sealpipe",
    .mode = "transport",
    .usage = usage,
    .kind = SEAL_CLIENT_FILTER,
};
