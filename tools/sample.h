/* sample.h — the commented sample of assay.conf (docs/assay.conf.sample, built into assayctl), and
 * setting values in such a text. */
#pragma once

#include "lib/base/buf.h"

/* Appends the sample. */
void sample_text(struct buf *out);
/* Sets key in [section]: its line, commented out or not, is replaced; a key the section does not
 * mention is added behind the section's head, an unknown section at the end. conf_load decides
 * whether it makes sense. */
void sample_set(struct buf *text, const char *section, const char *key, const char *value);
