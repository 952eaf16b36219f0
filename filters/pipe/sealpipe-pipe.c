/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sealpipe-pipe: Postfix's pipe(8) and its like. A message in, one message for each group of
 * recipients to sendmail.
 */
#include "filters/client/client.h"
#include "filters/pipe/handover.h"

static const char usage[] =
    "Usage: sealpipe-pipe [OPTION]... -f SENDER -- RECIPIENT...\n"
    "Reads a message from standard input, encrypts it as policy says for each recipient, and\n"
    "hands the results to sendmail. Made for Postfix's pipe(8).\n"
    "\n"
    "  -c DIR                 configuration folder, instead of the built-in conf.d\n"
    "  -f SENDER              envelope sender; '' and '<>' are the null sender\n"
    "      --id ID            the mail server's queue id: a retry with it skips what was handed\n"
    "                         over already\n"
    "      --sendmail CMD     instead of /usr/sbin/sendmail: an absolute path, and words\n"
    "                         behind it\n"
    "      --submission=yes|no\n"
    "                         whether the sender may use the mail server\n"
    "      --login LOGIN      who logged in; empty for nobody\n"
    "      --debug            log to standard error as well; never in an MTA\n"
    "      --help             print this and exit\n"
    "      --version          print the version and exit\n"
    "\n"
    "Exit status: 0 all was handed over, 69 some or all recipients are refused, 75 try again\n"
    "later. With 69 and 75 a line on standard output begins with 5.7.1, 5.3.4 or 4.3.0.\n";

const SealClient seal_client = {
    .name = "sealpipe-pipe",
    .mode = "pipe",
    .usage = usage,
    .kind = SEAL_CLIENT_HANDOVER,
    .finish = seal_handover,
};
