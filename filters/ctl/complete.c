/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * complete.c: what may stand where the cursor is, for the shell: `sealctl --complete WORD...`,
 * which contrib/completion/sealctl calls. A line for each; ":files" and ":folders" stand for all of
 * these. From the tables that --help is made of.
 */
#include "filters/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

/* Of the options. Anything else is for people to know. */
static const struct {
    const char *value, *words;
} VALUES[] = {
    {"FILE", ":files"},
    {"DIR", ":folders"},
    {"BASE", ":files"},
    {"BASE.key", ":files"},
    {"TRUST", "unverified harvested discovered verified manual"},
    {"FORMAT", "smime pgp"},
    {"KIND", "evaluation commercial community open-source startup"},
};

static void print_words(const char *words)
{
    g_auto(GStrv) each = g_strsplit(words, " ", -1);

    for (char **word = each; *word; word++)
        puts(*word);
}

static void complete_value(const char *value)
{
    for (guint i = 0; i < G_N_ELEMENTS(VALUES); i++) {
        if (g_strcmp0(VALUES[i].value, value) == 0)
            print_words(VALUES[i].words);
    }
}

static void complete_name(const CtlCommand *commands)
{
    for (; commands && commands->name; commands++)
        puts(commands->name);
}

/* TRUE where @name is one of its names: "-n, --dry-run". */
static gboolean option_is(const CtlOption *option, const char *name)
{
    g_auto(GStrv) names = g_strsplit(option->name, ", ", -1);

    return g_strv_contains((const char *const *)names, name);
}

static const CtlOption *find_option(const CtlOption *options, const char *name)
{
    for (; options && options->name; options++) {
        if (option_is(options, name))
            return options;
    }
    return NULL;
}

static void complete_option(const CtlOption *options)
{
    for (; options && options->name; options++) {
        g_auto(GStrv) names = g_strsplit(options->name, ", ", -1);

        for (char **name = names; *name; name++)
            puts(*name);
    }
}

/* -------------------------------------------------------------------------------------------
 * Modules' commands: their usage is what there is
 */

static void complete_module_name(const char *name)
{
    const SealModuleDescriptor *module = seal_module_peek(NULL, name, NULL);
    const SealCommand *const *commands = module ? module->commands : NULL;

    for (; commands && *commands; commands++) {
        const char *second = strchr((*commands)->name, ' ');
        if (second)
            puts(second + 1);
    }
}

/* @before: the word in front of the cursor's. */
static void complete_usage(const char *usage, const char *before, gboolean option)
{
    g_autofree char *plain = g_strdelimit(g_strdup(usage), "[]", ' ');
    g_auto(GStrv) words = g_strsplit(plain, " ", -1);
    const char *last = "";

    for (char **word = words; *word; word++) {
        if (option && g_str_has_prefix(*word, "--"))
            puts(*word);
        else if (!option && *before == '-' && g_str_equal(last, before))
            complete_value(*word);
        last = **word ? *word : last;
    }
    if (!option && *before != '-' && g_str_has_suffix(g_strchomp(plain), " FILE"))
        complete_value("FILE");
}

static void complete_module(GPtrArray *words, const char *before, gboolean option)
{
    const char *first = g_ptr_array_index(words, 0);
    const SealModuleDescriptor *module = seal_module_peek(NULL, first, NULL);
    const SealCommand *const *commands = module ? module->commands : NULL;
    g_autofree char *both = g_strjoin(" ", first, (char *)g_ptr_array_index(words, 1), NULL);

    for (; commands && *commands; commands++) {
        if (g_str_equal((*commands)->name, both))
            complete_usage((*commands)->usage, before, option);
    }
}

/* -------------------------------------------------------------------------------------------
 * Where the cursor is
 */

/* What is in front of it: the command and, where that has some, which of its own. */
typedef struct {
    const CtlCommand *command;
    const CtlCommand *own;   /* @command, or one of its commands; NULL: not there yet */
    const CtlOption *awaits; /* the option whose value comes next */
    GPtrArray *words;        /* those that are no options, nor their values */
} Place;

static void place_take(Place *self, const CtlCommand *commands, char *word)
{
    const CtlOption *option = find_option(self->own ? self->own->options : NULL, word);

    if (!option)
        option = find_option(CTL_OPTIONS, word);
    if (self->awaits || *word == '-') {
        self->awaits = !self->awaits && option && option->value ? option : NULL;
        return;
    }
    g_ptr_array_add(self->words, word);
    if (self->words->len == 1)
        self->command = ctl_command_find(commands, word);
    if (self->words->len == 1 && self->command && !self->command->commands)
        self->own = self->command;
    else if (self->words->len == 2 && self->command && self->command->commands)
        self->own = ctl_command_find(self->command->commands, word);
}

static gboolean is_of_module(const Place *place)
{
    return place->command && !place->command->run && !place->command->commands;
}

static void complete_word(const Place *place, const CtlCommand *commands)
{
    const char *words = place->own ? place->own->words : NULL;

    if (place->words->len == 0 || (words && g_str_has_prefix(words, "[COMMAND]")))
        complete_name(commands);
    else if (place->words->len == 1 && place->command && place->command->commands)
        complete_name(place->command->commands);
    else if (words && g_str_has_prefix(words, "FILE") &&
             (place->words->len == 1 || strstr(words, "FILE...")))
        complete_value("FILE");
}

int ctl_complete(const CtlCommand *commands, char **argv)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    Place place = {.words = words};
    const char *before = "", *cursor = "";

    for (; *argv; before = cursor, cursor = *argv++) {
        if (argv[1] && !g_str_equal(*argv, "=")) /* as in --trust=manual, which bash takes apart */
            place_take(&place, commands, *argv);
    }
    gboolean option = *cursor == '-';
    if (place.awaits)
        complete_value(place.awaits->value);
    else if (is_of_module(&place) && words->len == 1 && !option)
        complete_module_name(place.command->name);
    else if (is_of_module(&place) && words->len > 1)
        complete_module(words, before, option);
    else if (!option)
        complete_word(&place, commands);
    if (option && !place.awaits) {
        complete_option(place.own ? place.own->options : NULL);
        complete_option(CTL_OPTIONS);
    }
    return CTL_OK;
}
