/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * out.c: what a command answers, as data: values by name, and lists of rows. How it is shown is the
 * front end's business.
 */
#include "core/frontend.h"

typedef struct {
    char *name;
    GPtrArray *rows; /* of GVariantBuilder */
} List;

struct SealOut {
    GVariantBuilder *values;
    GPtrArray *lists;
    GVariantBuilder *row; /* the one that is open, or NULL; borrowed */
    GPtrArray *findings;  /* of SealFinding */
};

static void list_free(gpointer data)
{
    List *list = data;

    g_ptr_array_unref(list->rows);
    g_free(list->name);
    g_free(list);
}

static void finding_free(gpointer data)
{
    SealFinding *finding = data;

    g_free(finding->check);
    g_free(finding->topic);
    g_free(finding->remedy);
    g_free(finding->text);
    g_free(finding);
}

SealOut *seal_out_new(void)
{
    SealOut *out = g_new0(SealOut, 1);

    out->values = g_variant_builder_new(G_VARIANT_TYPE_VARDICT);
    out->lists = g_ptr_array_new_with_free_func(list_free);
    out->findings = g_ptr_array_new_with_free_func(finding_free);
    return out;
}

void seal_out_free(SealOut *out)
{
    if (!out)
        return;
    g_variant_builder_unref(out->values);
    g_ptr_array_unref(out->lists);
    g_ptr_array_unref(out->findings);
    g_free(out);
}

static List *find_list(SealOut *out, const char *name)
{
    for (guint i = 0; i < out->lists->len; i++) {
        List *list = g_ptr_array_index(out->lists, i);
        if (g_str_equal(list->name, name))
            return list;
    }

    List *list = g_new0(List, 1);
    list->name = g_strdup(name);
    list->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_builder_unref);
    g_ptr_array_add(out->lists, list);
    return list;
}

void seal_out_list(SealOut *out, const char *list)
{
    find_list(out, list);
    out->row = NULL;
}

void seal_out_row(SealOut *out, const char *list)
{
    out->row = g_variant_builder_new(G_VARIANT_TYPE_VARDICT);
    g_ptr_array_add(find_list(out, list)->rows, out->row);
}

void seal_out_end_row(SealOut *out)
{
    out->row = NULL;
}

static void add_value(SealOut *out, const char *key, GVariant *value)
{
    g_variant_builder_add(out->row ? out->row : out->values, "{sv}", key, value);
}

void seal_out_text(SealOut *out, const char *key, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    add_value(out, key, g_variant_new_take_string(g_utf8_make_valid(text, -1)));
}

void seal_out_number(SealOut *out, const char *key, gint64 number)
{
    add_value(out, key, g_variant_new_int64(number));
}

void seal_out_boolean(SealOut *out, const char *key, gboolean value)
{
    add_value(out, key, g_variant_new_boolean(value));
}

/* Not in the answer: status has them in the rows of their checks. */
void seal_out_finding(SealOut *out, SealFindingState state, const char *topic, const char *remedy,
                      const char *format, ...)
{
    SealFinding *finding = g_new0(SealFinding, 1);
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    finding->check = g_strdup("");
    finding->state = MIN(state, SEAL_FINDING_PROBLEM);
    finding->topic = g_strdup(topic ? topic : "modules");
    finding->remedy = g_utf8_make_valid(remedy ? remedy : "", -1);
    finding->text = g_utf8_make_valid(text, -1);
    g_ptr_array_add(out->findings, finding);
}

GPtrArray *seal_out_findings(SealOut *out)
{
    return out->findings;
}

gboolean seal_out_claim_findings(SealOut *out, guint first, const char *check)
{
    gboolean ready = TRUE;

    for (guint i = first; i < out->findings->len; i++) {
        SealFinding *finding = g_ptr_array_index(out->findings, i);

        g_free(finding->check);
        finding->check = g_strdup(check);
        ready = ready && finding->state != SEAL_FINDING_PROBLEM;
    }
    return ready;
}

GVariant *seal_out_finish(SealOut *out)
{
    for (guint i = 0; i < out->lists->len; i++) {
        const List *list = g_ptr_array_index(out->lists, i);
        g_auto(GVariantBuilder) rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

        for (guint j = 0; j < list->rows->len; j++)
            g_variant_builder_add_value(&rows,
                                        g_variant_builder_end(g_ptr_array_index(list->rows, j)));
        g_variant_builder_add(out->values, "{sv}", list->name, g_variant_builder_end(&rows));
    }
    g_ptr_array_set_size(out->lists, 0);
    out->row = NULL;
    return g_variant_ref_sink(g_variant_builder_end(out->values));
}
