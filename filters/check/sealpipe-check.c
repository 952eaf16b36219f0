/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sealpipe-check: asks whether mail to an address will be handled, for an MTA's router or ACL.
 */
#include "filters/client/client.h"

static const char usage[] =
    "Usage: sealpipe-check [OPTION]... -- ADDRESS\n"
    "Says whether a message to ADDRESS will be handled by sealpipe, with one line of reason that\n"
    "has no newline. Made for Exim's ${run}.\n"
    "\n"
    "  -c DIR          configuration folder, instead of the built-in conf.d\n"
    "  -f SENDER       envelope sender; '' and '<>' are the null sender\n"
    "  -H HEADERS      the message's header block; of 64 KiB and more it is not believed\n"
    "      --exim-spool DIR\n"
    "                  Exim's folder of messages; with --id, header, sender and login come from\n"
    "                  there\n"
    "      --id ID     the message's id; empty while it is being received\n"
    "      --submission=yes|no\n"
    "                  whether the sender may use the mail server\n"
    "      --login LOGIN\n"
    "                  who logged in; empty for nobody\n"
    "      --debug     log to standard error as well; never in an MTA\n"
    "      --help      print this and exit\n"
    "      --version   print the version and exit\n"
    "\n"
    "Exit status: 0 will be handled, 69 will be refused, 75 cannot tell now.\n";

const SealClient seal_client = {
    .name = "sealpipe-check",
    .mode = "check",
    .usage = usage,
    .kind = SEAL_CLIENT_ANSWER,
};
