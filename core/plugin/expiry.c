/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * expiry.c: what [expiry] says.
 */
#include "core/plugin/expiry.h"

#include "core/plugin/settings.h"
#include "core/plugin/tables.h"

enum {
    MAX_MAIL_TO = 20,
    MAX_DAYS = 10,
    MAX_DAY = 365,
};

static gboolean read_mail_to(const SealSettings *expiry, GPtrArray *mail_to, GError **error)
{
    const char *const *items = seal_settings_list(expiry, "mail_to");

    for (; *items; items++) {
        g_autoptr(GError) problem = NULL;
        SealAddress *address = seal_address_parse(*items, &problem);

        if (!address)
            return seal_settings_refuse(expiry, "mail_to", error, "%s", problem->message);
        g_ptr_array_add(mail_to, address);
    }
    return mail_to->len <= MAX_MAIL_TO ||
           seal_settings_refuse(expiry, "mail_to", error, "more than %d addresses", MAX_MAIL_TO);
}

static gboolean read_mail_from(const SealSettings *expiry, SealAddress **mail_from, GError **error)
{
    const char *text = seal_settings_string(expiry, "mail_from");
    g_autoptr(GError) problem = NULL;

    if (!*text)
        return TRUE;
    *mail_from = seal_address_parse(text, &problem);
    return *mail_from || seal_settings_refuse(expiry, "mail_from", error, "%s", problem->message);
}

static int most_first(gconstpointer a, gconstpointer b)
{
    return *(const gint *)b - *(const gint *)a;
}

/* Each once, the most first. */
static gboolean read_days(const SealSettings *expiry, GArray *days, GError **error)
{
    const char *const *items = seal_settings_list(expiry, "days");

    for (; *items; items++) {
        guint64 number = 0;

        if (!g_ascii_string_to_unsigned(*items, 10, 1, MAX_DAY, &number, NULL))
            return seal_settings_refuse(expiry, "days", error, "\"%s\" is no number from 1 to %d",
                                        *items, MAX_DAY);
        gint day = (gint)number;
        g_array_append_val(days, day);
    }
    g_array_sort(days, most_first);
    for (guint i = days->len; i > 1; i--) {
        if (g_array_index(days, gint, i - 1) == g_array_index(days, gint, i - 2))
            g_array_remove_index(days, i - 1);
    }
    return (days->len > 0 && days->len <= MAX_DAYS) ||
           seal_settings_refuse(expiry, "days", error, "one to %d numbers were expected", MAX_DAYS);
}

gboolean seal_expiry_settings_read(const SealConfig *config, SealExpirySettings *settings,
                                   GError **error)
{
    g_autoptr(SealSettings) expiry = seal_settings_new(
        "expiry", seal_config_group(config, "expiry"), SEAL_TABLE_EXPIRY, NULL, error);

    *settings = (SealExpirySettings){
        .mail_to = g_ptr_array_new_with_free_func((GDestroyNotify)seal_address_unref),
        .days = g_array_new(FALSE, FALSE, sizeof(gint)),
    };
    if (!expiry)
        return FALSE;
    settings->owners = seal_settings_boolean(expiry, "owners");
    settings->owners_text = g_strdup(seal_settings_string(expiry, "owners_text"));
    return read_mail_to(expiry, settings->mail_to, error) &&
           read_mail_from(expiry, &settings->mail_from, error) &&
           read_days(expiry, settings->days, error);
}

void seal_expiry_settings_clear(SealExpirySettings *settings)
{
    g_clear_pointer(&settings->mail_to, g_ptr_array_unref);
    g_clear_pointer(&settings->mail_from, seal_address_unref);
    g_clear_pointer(&settings->days, g_array_unref);
    g_clear_pointer(&settings->owners_text, g_free);
}
