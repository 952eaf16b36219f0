/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * who.c: says whose From it is, for authors.py to look at. Its input is one value after the other,
 * each behind a line with its size; for each it writes a line: the author ("-": none), and whom
 * GMime sees where there is one, separated by tabs.
 */
#include "core/mail/author.h"
#include "core/mail/message.h"

#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void see_list(InternetAddressList *list);

static void see_address(InternetAddress *address)
{
    if (INTERNET_ADDRESS_IS_MAILBOX(address))
        printf("\t%s", internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address)));
    else if (INTERNET_ADDRESS_IS_GROUP(address))
        see_list(internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)));
}

static void see_list(InternetAddressList *list)
{
    for (int i = 0; list && i < internet_address_list_length(list); i++)
        see_address(internet_address_list_get_address(list, i));
}

static void say(const char *value)
{
    g_autofree char *text = g_strdup_printf("From: %s\n\nbody\n", value), *why = NULL;
    g_autoptr(SealContent) content = seal_content_new_copy(text, strlen(text));
    g_autoptr(SealMessage) message = seal_message_new(content, NULL);
    g_autoptr(SealAddress) author =
        message ? seal_author_read(seal_message_header(message), &why) : NULL;

    printf("%s", author ? seal_address_key(author) : "-");
    if (author) {
        InternetAddressList *list = internet_address_list_parse(NULL, value);

        see_list(list);
        g_clear_object(&list);
    }
    printf("\n");
}

int main(void)
{
    char line[32];

    g_mime_init();
    while (fgets(line, sizeof line, stdin)) {
        gsize size = strtoul(line, NULL, 10);
        g_autofree char *value = g_malloc0(size + 1);

        if (fread(value, 1, size, stdin) != size)
            return EXIT_FAILURE;
        say(value);
    }
    return EXIT_SUCCESS;
}
