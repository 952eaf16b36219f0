/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys.c: the commands of `sealctl keys`, over all key sources.
 */
#include "filters/ctl/keys.h"

static const CtlOption ADD_OPTIONS[] = {
    {"--trust", "TRUST", "unverified, harvested, discovered, verified or manual (default)"},
    {"--address", "ADDRESS",
     "give them to ADDRESS, @DOMAIN or @.DOMAIN (its subdomains) as well, whatever they name; may "
     "stand several times"},
    {"--passphrase-file", "FILE", "its first line opens what needs a passphrase"},
    {"--source", "NAME", "the key source that is to keep them"},
    {"--server", NULL, "put private keys where mail is signed with them, too"},
    {"-n, --dry-run", NULL, "say what is in the files, and keep nothing"},
    {NULL},
};

static const CtlOption LIST_OPTIONS[] = {
    {"--format", "FORMAT", "smime or pgp alone"},
    {"--trust", "TRUST", "those of that trust alone"},
    {"--source", "NAME", "those of that key source alone"},
    {"--expiring", "TIME",
     "those that expire within TIME, such as 30d, or have expired; its unit is s, m, h, d or w"},
    {NULL},
};

static const CtlOption SHOW_OPTIONS[] = {
    {"--source", "NAME", "those of that key source alone"},
    {NULL},
};

static const CtlOption REMOVE_OPTIONS[] = {
    {"--address", "ADDRESS",
     "take back that it was given to ADDRESS, @DOMAIN or @.DOMAIN by `keys add --address`; the key "
     "stays, for its others; may stand several times"},
    {"--source", "NAME", "out of that key source alone"},
    {"--all", NULL, "all that are meant, not only where that is one"},
    {NULL},
};

static const CtlOption EXPORT_OPTIONS[] = {
    {"--source", "NAME", "those of that key source alone"},
    {"--out", "FILE", "there, not on standard output"},
    {NULL},
};

static const CtlOption CHECK_OPTIONS[] = {
    {"--expiring", "TIME", "what expires within TIME is about to; 30d unless set"},
    {NULL},
};

static const CtlOption REFRESH_OPTIONS[] = {
    {"--all", NULL, "all of it, not only what is due"},
    {NULL},
};

static const CtlOption PUBLISH_OPTIONS[] = {
    {"--ldap", NULL, "into the key source ldap"},
    {"--to", "NAME", "into that key source; ldap unless set"},
    {"-n, --dry-run", NULL, "say what would be written, and write nothing"},
    {NULL},
};

const CtlCommand CTL_KEYS_COMMANDS[] = {
    {"add", "FILE...", "put certificates and OpenPGP keys into the key store",
     "Puts certificates and OpenPGP keys into the key store. A FILE is PEM, DER, PKCS#7, PKCS#12, "
     "an OpenPGP key ring, armoured or not, or a keybox; a folder of such files; or a table with "
     "lines of ADDRESS, a tabulator and a file, relative to the table's folder.",
     ADD_OPTIONS, ctl_keys_add},
    {"list", "[ADDRESS]", "the keys that are kept",
     "Lists the keys that are kept: all, or those for an address, @DOMAIN or @.DOMAIN.",
     LIST_OPTIONS, ctl_keys_list},
    {"show", "FINGERPRINT|ADDRESS", "all that is known of keys",
     "Says all that is known of keys. The beginning of a fingerprint will do.", SHOW_OPTIONS,
     ctl_keys_show},
    {"remove", "FINGERPRINT|ADDRESS", "take a key out of the key sources",
     "Takes a key out of the key sources, and what is written down of it. One that serves others "
     "than ADDRESS, too, is taken out by its fingerprint alone.",
     REMOVE_OPTIONS, ctl_keys_remove},
    {"export", "FINGERPRINT|ADDRESS", "write keys as PEM, or armoured",
     "Writes keys as PEM, or armoured.", EXPORT_OPTIONS, ctl_keys_export},
    {"lookup", "ADDRESS", "which key a message to ADDRESS would be sealed to",
     "Asks all key sources as a message to ADDRESS would, and says which key wins, and why every "
     "other one lost. Nothing is written down.",
     NULL, ctl_keys_lookup},
    {"pin", "ADDRESS FINGERPRINT", "have that key alone used for ADDRESS",
     "Has that key alone used for ADDRESS, whatever else is found.", NULL, ctl_keys_pin},
    {"unpin", "ADDRESS", "end that", "Ends what `keys pin` began.", NULL, ctl_keys_unpin},
    {"pending", "[ADDRESS]", "keys that wait for leave",
     "Lists keys that would take the place of one that serves, and wait for leave.", NULL,
     ctl_keys_pending},
    {"approve", "ADDRESS [FINGERPRINT]", "have the key that is pending serve",
     "Has the key that is pending serve, in place of the one that did, which is rejected. By its "
     "fingerprint a key that was rejected serves again.",
     NULL, ctl_keys_approve},
    {"reject", "ADDRESS [FINGERPRINT]", "have a key never serve",
     "Has what is pending never serve, or that key, whether it serves or not. `keys approve` with "
     "the fingerprint takes it back.",
     NULL, ctl_keys_reject},
    {"check", NULL, "keys that somebody should look at",
     "Looks for keys that are expired, about to expire, weak, unsupported or ambiguous, and for "
     "those that are pending.",
     CHECK_OPTIONS, ctl_keys_check},
    {"refresh", NULL, "fetch what gets out of date, such as revocation lists",
     "Fetches what gets out of date, such as revocation lists.", REFRESH_OPTIONS, ctl_keys_refresh},
    {"remind", NULL, "tell in time, by mail, that keys end",
     "Tells by mail that keys, certificates and the licence end soon or have ended: the "
     "administrator, whom [expiry] mail_to names, and, where [expiry] owners says so, the owners "
     "of "
     "keys that mail is encrypted to. Each is told at 30, 14 and 3 days, and once it has ended. A "
     "timer runs it, as root or as the service's user.",
     CTL_REMIND_OPTIONS, ctl_keys_remind},
    {"publish", "[ADDRESS]...", "put public keys into a directory",
     "Puts the public keys with which mail of these addresses is signed here into a directory. "
     "With --ldap and no address, those that the local key sources have for addresses in its "
     "domains=, as far as they are fit and verified.",
     PUBLISH_OPTIONS, ctl_keys_publish},
    {NULL},
};
