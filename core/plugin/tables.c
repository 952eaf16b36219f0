/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tables.c: every setting of core: the source of its checks and of its manual page.
 */
#include "core/plugin/tables.h"

const SealSetting SEAL_TABLE_CORE[] = {
    {"enabled", SEAL_SETTING_BOOLEAN, "true",
     .help = "false: outbound mail passes as it came, byte for byte, and the log says so."},
    {"state_dir", SEAL_SETTING_STRING, "/var/lib/sealpipe",
     .help = "The folder where state is kept; of the user that sealpipe runs as, mode 0700."},
    {"run_dir", SEAL_SETTING_STRING, "/run/sealpipe",
     .help =
         "Where the daemon's socket stands: a folder of root's, or of whoever starts sealpiped, "
         "mode 0755, which sealpiped makes where it is missing. Without the daemon, one of the "
         "user that sealpipe runs as is used for what is needed for a moment only; it need not "
         "be there."},
    {"spool_dir", SEAL_SETTING_PATH, "/var/tmp",
     .help = "Where large messages are kept while they are worked on, in files without a name."},
    {"spool_memory", SEAL_SETTING_SIZE, "1M", "0..256M",
     .help = "What is kept in memory of each message before a file is used."},
    {"user", SEAL_SETTING_STRING, "",
     .help =
         "The user that the mail server runs sealpipe as, who owns state, secret keys and home. "
         "Root becomes it before anything else; empty: becomes the owner of state_dir, else of "
         "home."},
    {"deadline", SEAL_SETTING_DURATION, "60s", "1s..1h",
     .help =
         "How long one message may go without progress, from its last octet in to its first one "
         "out. In all it has as long, and a second more for each MiB of the message and of each "
         "delivery made of it."},
    {"size_limit", SEAL_SETTING_SIZE, "0", "0..1024G",
     .help =
         "The largest message, in octets as it leaves and with CRLF, that the mail server takes: "
         "what would be larger is refused, before the work where that is certain. 0: none. "
         "sealpipe, which could only defer it, lets it go to whoever takes it or says no."},
    {"in_process", SEAL_SETTING_BOOLEAN, "true",
     .help = "Whether sealpipe, sealpipe-check and sealpipe-pipe do the work themselves where the "
             "daemon does not run. false: they defer the message, and need to read no key."},
    {"ledger_days", SEAL_SETTING_INTEGER, "400", "0..3650",
     .help =
         "How many days it is kept, in state_dir/ledger, what became of mail: by domain, without "
         "mailboxes, for `sealctl report`. 0: nothing is written down, and what is there stays."},
    {"log_level", SEAL_SETTING_CHOICE, "info", "error|warning|info|debug",
     .help = "What is logged; debug names every decision."},
    {"log_target", SEAL_SETTING_STRING, "auto",
     .help =
         "auto, syslog, journal, or the absolute path of a file; stderr is for sealctl alone, and "
         "refused by the programs that handle mail. auto is the journal, else "
         "syslog, else, where neither listens, sealpipe.log in state_dir; sealctl status says "
         "which. "
         "What happens before this is read goes to syslog."},
    {NULL},
};

const SealSetting SEAL_TABLE_PIPELINE[] = {
    {"outbound", SEAL_SETTING_LIST, "license;sign;smime;pgp",
     .help = "The stages and formats that outbound mail passes, in order."},
    {"inbound", SEAL_SETTING_LIST, "inbound", .later = "*",
     .help = "The stages that inbound mail passes, in order."},
    {NULL},
};

const SealSetting SEAL_TABLE_POLICY[] = {
    {"encrypt", SEAL_SETTING_CHOICE, "required", "required|preferred|never",
     .help = "Whether mail is encrypted; preferred: where there is a key."},
    {"sign", SEAL_SETTING_CHOICE, "never", "never|preferred|required",
     .help = "Whether mail is signed; preferred: where the author has a key here."},
    {"formats", SEAL_SETTING_LIST, "smime;pgp",
     .help = "The formats to use, the preferred one first."},
    {"all_or_none", SEAL_SETTING_BOOLEAN, "false",
     .help = "Encrypt only if all recipients can be encrypted to."},
    {"fallback", SEAL_SETTING_CHOICE, "refuse", "refuse|report|allow",
     .help = "What happens where encryption is required and there is no key."},
    {"on_unsupported", SEAL_SETTING_CHOICE, "fallback", "fallback|refuse",
     .help = "What happens where there is a key that could be fit, and that this version or its "
             "libraries cannot use, and no other: what happens without a key, or mail that would "
             "leave in clear for that is refused."},
    {"reduce_bounces", SEAL_SETTING_BOOLEAN, "false",
     .help =
         "Where encryption is required and there is no key, a delivery report (RFC 3464) of the "
         "null sender leaves all the same, as a sentence and its status fields."},
    {"encrypt_to_sender", SEAL_SETTING_BOOLEAN, "true",
     .help = "Encrypt to the author as well, where a key of the author is known."},
    {"already_sealed", SEAL_SETTING_CHOICE, "pass", "pass|wrap|refuse",
     .help = "What happens to a message that came encrypted as a whole, and for the recipient."},
    {"already_signed", SEAL_SETTING_CHOICE, "keep", "keep|wrap",
     .help =
         "Whether a signed message is signed again. Kept, it satisfies sign=required only where "
         "its signature is the author's, covers the whole of it and verifies; else it is signed "
         "again, or refused."},
    {"keys_per_recipient", SEAL_SETTING_CHOICE, "all", "all|newest",
     .help =
         "Whether mail is encrypted to all usable keys of a recipient, the newest 8 of them, or "
         "to the newest alone. They are those of the first source that has one, as far as they "
         "are trusted as much as the best of them."},
    {"archive_to", SEAL_SETTING_STRING, "",
     .help =
         "An address whose key all that is sealed is encrypted to as well. Without a usable key "
         "of it, which must be trusted as verified at least, mail that would be sealed waits."},
    {"header_protection", SEAL_SETTING_CHOICE, "off", "off|clear|cipher", "clear|cipher",
     .help = "Whether header fields are protected too (RFC 9788)."},
    {"report_text", SEAL_SETTING_PATH,
     .help = "A file in UTF-8 whose text is added to problem reports: whom to ask, and how. "
             "{cause} in it "
             "stands for the cause."},
    {"report_subject", SEAL_SETTING_STRING, "",
     .help = "The Subject of problem reports; without it one in the first of report_languages."},
    {"report_languages", SEAL_SETTING_LIST, "en",
     .help = "The languages of problem reports, one below the other: en, de."},
    {"min_trust", SEAL_SETTING_CHOICE, "verified",
     "unverified|harvested|discovered|verified|manual",
     .help = "The least trust that a key must have to be used. That of its source, or verified "
             "where an anchor or an introducer vouches for it, or manual where it was given by "
             "hand."},
    {NULL},
};

const SealSetting SEAL_TABLE_RULE[] = {
    {"match_sender", SEAL_SETTING_LIST,
     .help =
         "The envelope sender: user@domain, @domain, @.domain (its subdomains), a glob, or <>, "
         "the null sender. Where Unicode takes more than the case of A to Z for alike, it matches "
         "in some readings only."},
    {"match_from", SEAL_SETTING_LIST,
     .help = "The author, the one address in From, likewise. Where that is not one clean mailbox, "
             "whoever it could name matches in some readings only."},
    {"match_recipient", SEAL_SETTING_LIST, .help = "The recipient, likewise."},
    {"match_header", SEAL_SETTING_LIST,
     .help = "FIELD: GLOB, over the whole decoded value. A field that stands twice matches in some "
             "readings only, and so does one that fits without its comments, quotation marks or "
             "folds alone."},
    {"match_part", SEAL_SETTING_LIST,
     .help = "What a part of the message is, as a glob: a media type, such as text/calendar, or a "
             "file name, such as *.ics. All names count that a reader may show: see RULES."},
    {"match_size", SEAL_SETTING_STRING, .help = "The message's octets, as it came: >10M or <512K."},
    {"match_tag", SEAL_SETTING_STRING,
     .help = "A word in the Subject, such as [encrypt]; it is taken out when the rule wins."},
    {NULL},
};

const SealSetting SEAL_TABLE_KEYRING[] = {
    {"sources", SEAL_SETTING_LIST, "store;file;gnupg;ldap;hkp;wkd;dane;harvested",
     .help = "The key sources, in the order in which they are asked."},
    {"cache", SEAL_SETTING_DURATION, "1h", "0s..30d",
     .help = "How long a key that was found is remembered."},
    {"negative_cache", SEAL_SETTING_DURATION, "10m", "0s..30d",
     .help = "How long it is remembered that there was no key."},
    {NULL},
};

const SealSetting SEAL_TABLE_DAEMON[] = {
    {"workers", SEAL_SETTING_STRING, "auto",
     .help = "How many workers there are, each with one message at a time; auto: one for each "
             "processor, and two at least."},
    {"socket_mode", SEAL_SETTING_STRING, "0660",
     .help = "The mode of the socket, which is root's, with the group of [core] user. The mail "
             "server's user must be able to write to it: by that group, or with 0666, where peers "
             "alone says who may."},
    {"peers", SEAL_SETTING_LIST, "root;self",
     .help = "The users who may hand in messages, by name or number: whoever the mail server runs "
             "sealpipe as, such as Debian-exim; self is [core] user. One that does not exist is "
             "passed over; who is not named has his messages deferred, and the log says so."},
    {"submission_peers", SEAL_SETTING_LIST, "",
     .help = "Those of them whose word is taken on who submitted a message (--login, --submission, "
             "--exim-spool), so that it is signed; USER=ADDRESS or USER=@DOMAIN: for authors of "
             "that address or domain alone. Without it nothing is signed."},
    {"inbound_peers", SEAL_SETTING_LIST, "", .help = "Those of them who may have mail opened."},
    {"keys_user", SEAL_SETTING_STRING, "sealpipe-keys",
     .help = "The user of the process that keeps the private keys, where root starts the daemon; "
             "nobody else should be it."},
    {"recycle", SEAL_SETTING_INTEGER, "1000", "1..1000000",
     .help = "How many messages a worker takes before another one is put in its place."},
    {"queue", SEAL_SETTING_INTEGER, "64", "1..4096",
     .help = "How many messages may wait for a worker; who finds no room tries again until the "
             "deadline, and then the mail server keeps the message."},
    {"sandbox", SEAL_SETTING_CHOICE, "required", "required|available|off",
     .help = "Workers, and what keeps the private keys, are locked in by the kernel: which system "
             "calls they may make (seccomp), and which files they reach (Landlock). required: the "
             "daemon does not start where that fails; a kernel without Landlock will do where root "
             "starts it. available: what cannot be had is logged."},
    {"network", SEAL_SETTING_CHOICE, "auto", "auto|true|false",
     .help = "Whether workers may use the network. auto: where a module is enabled whose look-ups "
             "need it, as those of keys-ldap. false: they reach sockets of this host alone, as "
             "ldapi://."},
    {"refresh", SEAL_SETTING_BOOLEAN, "true",
     .help =
         "Whether a process of the daemon's, which may use the network and has no mail, fetches "
         "what modules want fetched, such as revocation lists ([module smime] crl). Without it, "
         "a timer should run sealctl keys refresh."},
    {"readable", SEAL_SETTING_PATHS,
     .help = "Files and folders that workers read beside those that the settings name, such as "
             "those that links in a folder of keys lead to."},
    {NULL},
};

const SealSetting SEAL_TABLE_EXPIRY[] = {
    {"mail_to", SEAL_SETTING_LIST, "",
     .help =
         "Who is told, in one mail a day at most, which keys, certificates and licence end soon "
         "or have ended: addresses. Without it nobody is, and sealctl keys remind does "
         "nothing."},
    {"mail_from", SEAL_SETTING_STRING, "",
     .help = "The author and sender of these mails, to whom what cannot be delivered goes back; "
             "empty: postmaster at this host's name."},
    {"days", SEAL_SETTING_LIST, "30;14;3",
     .help = "How many days before the end something is said: up to ten numbers from 1 to 365. It "
             "is said once more when it has ended."},
    {"owners", SEAL_SETTING_BOOLEAN, "false",
     .help =
         "Whether the owners of keys that mail is encrypted to are told as well, each in a mail "
         "of his own, unless another key takes that one's place by itself."},
    {"owners_text", SEAL_SETTING_PATH,
     .help = "A file in UTF-8 whose text stands in the mails to owners, in place of the sentences "
             "that say where a new key or certificate is to be sent: to mail_from."},
    {NULL},
};

const char *seal_tables_preset(const SealSetting *table, const char *key)
{
    while (table->key && !g_str_equal(table->key, key))
        table++;
    return table->preset;
}

gboolean seal_tables_check_groups(const SealConfig *config, GError **error)
{
    static const char *const known[] = {"core",   "pipeline", "policy", "keyring",
                                        "daemon", "expiry",   NULL};
    GPtrArray *groups = seal_config_groups(config);

    for (guint i = 0; i < groups->len; i++) {
        const SealGroup *group = g_ptr_array_index(groups, i);

        if (!g_strv_contains(known, group->name) && !g_str_has_prefix(group->name, "module ") &&
            !g_str_has_prefix(group->name, "rule "))
            return seal_config_refuse(&group->place, error, "there is no group [%s]", group->name);
    }
    return TRUE;
}
