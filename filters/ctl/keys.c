/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keys.c: `sealctl keys ...`: core's own command over all key sources.
 */
#include "filters/ctl/keys.h"

#include <stdio.h>

static const CtlKeysCommand COMMANDS[] = {
    {"add", "add [OPTION]... FILE...",
     "Puts certificates and OpenPGP keys into the key store. A FILE is PEM, DER, PKCS#7, PKCS#12,\n"
     "an OpenPGP key ring, armoured or not, or a keybox; a folder of such files; or a table with\n"
     "lines of ADDRESS, a tabulator and a file, relative to the table's folder.\n"
     "\n"
     "      --trust TRUST          unverified, harvested, discovered, verified or manual "
     "(default)\n"
     "      --address ADDRESS      give them to ADDRESS, @DOMAIN or @.DOMAIN (its subdomains) as\n"
     "                             well, whatever they name; may stand several times\n"
     "      --passphrase-file FILE its first line opens what needs a passphrase\n"
     "      --source NAME          the key source that is to keep them\n"
     "      --server               put private keys where mail is signed with them, too\n"
     "  -n, --dry-run              say what is in the files, and keep nothing\n",
     ctl_keys_add},
    {"list", "list [OPTION]... [ADDRESS]",
     "Lists the keys that are kept: all, or those for an address, @DOMAIN or @.DOMAIN.\n"
     "\n"
     "      --format FORMAT        smime or pgp alone\n"
     "      --trust TRUST          those of that trust alone\n"
     "      --source NAME          those of that key source alone\n"
     "      --expiring TIME        those that expire within TIME, such as 30d, or have expired; "
     "its\n"
     "                             unit is s, m, h, d or w\n",
     ctl_keys_list},
    {"show", "show [--source NAME] FINGERPRINT|ADDRESS",
     "Says all that is known of keys. The beginning of a fingerprint will do.\n"
     "\n"
     "      --source NAME          those of that key source alone\n",
     ctl_keys_show},
    {"remove", "remove [OPTION]... FINGERPRINT|ADDRESS",
     "Takes a key out of the key sources, and what is written down of it. One that serves others\n"
     "than ADDRESS, too, is taken out by its fingerprint alone.\n"
     "\n"
     "      --address ADDRESS      take back that it was given to ADDRESS, @DOMAIN or @.DOMAIN by\n"
     "                             `keys add --address`; the key stays, for its others; may stand\n"
     "                             several times\n"
     "      --source NAME          out of that key source alone\n"
     "      --all                  all that are meant, not only where that is one\n",
     ctl_keys_remove},
    {"export", "export [OPTION]... FINGERPRINT|ADDRESS",
     "Writes keys as PEM, or armoured.\n"
     "\n"
     "      --source NAME          those of that key source alone\n"
     "      --out FILE             there, not on standard output\n",
     ctl_keys_export},
    {"lookup", "lookup ADDRESS",
     "Asks all key sources as a message to ADDRESS would, and says which key wins, and why every\n"
     "other one lost. Nothing is written down.\n",
     ctl_keys_lookup},
    {"pin", "pin ADDRESS FINGERPRINT",
     "Has that key alone used for ADDRESS, whatever else is found.\n", ctl_keys_pin},
    {"unpin", "unpin ADDRESS", "Ends that.\n", ctl_keys_unpin},
    {"pending", "pending [ADDRESS]",
     "Lists keys that would take the place of one that serves, and wait for leave.\n",
     ctl_keys_pending},
    {"approve", "approve ADDRESS [FINGERPRINT]",
     "Has the key that is pending serve, in place of the one that did, which is rejected.\n"
     "By its fingerprint a key that was rejected serves again.\n",
     ctl_keys_approve},
    {"reject", "reject ADDRESS [FINGERPRINT]",
     "Has what is pending never serve, or that key, whether it serves or not. `keys approve`\n"
     "with the fingerprint takes it back.\n",
     ctl_keys_reject},
    {"check", "check [--expiring TIME]",
     "Looks for keys that are expired, about to expire, weak, unsupported or ambiguous, and for\n"
     "those that are pending.\n"
     "\n"
     "      --expiring TIME        what expires within TIME is about to; 30d unless set\n",
     ctl_keys_check},
    {"refresh", "refresh [--all]",
     "Fetches what gets out of date, such as revocation lists.\n"
     "\n"
     "      --all                  all of it, not only what is due\n",
     ctl_keys_refresh},
    {"publish", "publish [OPTION]... [ADDRESS]...",
     "Puts the public keys with which mail of these addresses is signed here into a directory. "
     "With\n"
     "--ldap and no address, those that the local key sources have for addresses in its domains=,\n"
     "as far as they are fit and verified.\n"
     "\n"
     "      --ldap                 into the key source ldap\n"
     "      --to NAME              into that key source; ldap unless set\n"
     "  -n, --dry-run              say what would be written, and write nothing\n",
     ctl_keys_publish},
    {NULL, NULL, NULL, NULL},
};

static const CtlKeysCommand *find_command(const char *name)
{
    for (const CtlKeysCommand *command = COMMANDS; command->name; command++) {
        if (g_strcmp0(command->name, name) == 0)
            return command;
    }
    return NULL;
}

void ctl_keys_help(const char *name)
{
    const CtlKeysCommand *command = find_command(name);

    if (command) {
        printf("Usage: sealctl keys %s\n%s", command->usage, command->help);
        return;
    }
    printf("Usage: sealctl keys COMMAND [OPTION]... [ARGUMENT]...\n"
           "Looks after the keys of those whom mail is sent to.\n"
           "\n");
    for (command = COMMANDS; command->name; command++)
        printf("  %s\n", command->usage);
    printf("\n"
           "`sealctl keys COMMAND --help` says what each does.\n");
}

/* Always CTL_USAGE. */
static int refuse_command(const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (const CtlKeysCommand *command = COMMANDS; command->name; command++)
        g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", command->name);
    if (name)
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED,
                    "there is no command keys \"%s\"; there are %s", name, names->str);
    else
        g_set_error(error, SEAL_ERROR, SEAL_ERROR_FAILED, "usage: sealctl keys COMMAND, one of %s",
                    names->str);
    return CTL_USAGE;
}

int ctl_keys(const CtlOptions *options, SealOut *out, GError **error)
{
    int argc = (int)options->words->len - 2;
    g_autofree char **argv = g_new0(char *, (gsize)argc + 2);
    const CtlKeysCommand *command = NULL;

    /* The last word is the NULL behind them. */
    for (int i = 0; i < argc; i++)
        argv[i] = g_ptr_array_index(options->words, (guint)i + 1);
    command = find_command(argv[0]);
    if (!command)
        return refuse_command(argv[0], error);

    int status = command->run(options, argc, argv, out, error);
    if (status == CTL_USAGE)
        g_prefix_error(error, "usage: sealctl keys %s: ", command->usage);
    return status;
}
