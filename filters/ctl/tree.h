/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tree.h: an answer as a tree: colours and lines on a terminal, indentation elsewhere.
 */
#pragma once

#include <glib.h>

typedef enum {
    CTL_STYLE_PLAIN,
    CTL_STYLE_HEAD,
    CTL_STYLE_GOOD,
    CTL_STYLE_DOUBT,
    CTL_STYLE_BAD,
    CTL_STYLE_FAINT,
} CtlStyle;

typedef struct CtlTree CtlTree;

CtlTree *ctl_tree_new(void);
void ctl_tree_free(CtlTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlTree, ctl_tree_free)

/** One line behind the others below @parent. Text may come from outside. (borrowed) */
CtlTree *ctl_tree_add(CtlTree *parent, CtlStyle style, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** Prints what is below @tree: each as a tree of its own, an empty line between. */
void ctl_tree_print(const CtlTree *tree);
