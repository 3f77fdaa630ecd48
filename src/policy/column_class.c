#include "policy/column_class.h"

#include "base/text.h"

enum { WORDS_MAX = 12, WORD_MAX = 24, NEEDS_MAX = 3 };

typedef struct Word {
    char text[WORD_MAX];
    size_t len;
} Word;

typedef struct WordList {
    Word words[WORDS_MAX];
    size_t count;
} WordList;

static const struct {
    ColumnClass class;
    const char *name, *prefix;
    bool repeats;
} CLASSES[] = {
#define CLASS_ROW(name, bit, text, prefix, repeats) { CLASS_##name, text, prefix, repeats },
    COLUMN_CLASSES(CLASS_ROW)
#undef CLASS_ROW
};

/* Spelt out before matching; what is not here stays as it is. */
static const struct {
    const char *shorter, *longer;
} ABBREVIATIONS[] = {
    { "nm", "name" },           { "nme", "name" },          { "dt", "date" },
    { "no", "number" },         { "num", "number" },        { "nbr", "number" },
    { "nr", "number" },         { "addr", "address" },      { "adr", "address" },
    { "ph", "phone" },          { "tel", "phone" },         { "telephone", "phone" },
    { "phones", "phone" },      { "fax", "phone" },         { "mobile", "phone" },
    { "cellphone", "phone" },   { "pager", "phone" },       { "pt", "patient" },
    { "pat", "patient" },       { "brth", "birth" },        { "fst", "first" },
    { "frst", "first" },        { "lst", "last" },          { "mid", "middle" },
    { "mbr", "member" },        { "subscr", "subscriber" }, { "acct", "account" },
    { "lic", "licence" },       { "med", "medical" },       { "rec", "record" },
    { "soc", "social" },        { "sec", "security" },      { "emails", "email" },
    { "addresses", "address" }, { "guar", "guarantor" },    { "str", "street" },
    { "dates", "date" },        { "zipcode", "zip" },       { "postcode", "zip" },
    { "postal", "zip" },        { "gender", "sex" },        { "identifier", "id" },
};

/* All of `needs` among the words and none of `unless`; `alone`: no other word. The first row wins.
 */
static const struct {
    ColumnClass class;
    const char *needs[NEEDS_MAX];
    const char *unless[NEEDS_MAX];
    bool alone;
} HINTS[] = {
    { CLASS_EMAIL, { "email" }, { 0 }, false },
    { CLASS_EMAIL, { "e", "mail" }, { 0 }, false },
    { CLASS_SSN, { "ssn" }, { 0 }, false },
    { CLASS_SSN, { "itin" }, { 0 }, false },
    { CLASS_SSN, { "social", "security" }, { 0 }, false },
    { CLASS_PHONE, { "phone" }, { 0 }, false },
    { CLASS_PHONE, { "cell", "number" }, { 0 }, false },
    { CLASS_ZIP, { "zip" }, { 0 }, false },
    { CLASS_ZIP, { "post", "code" }, { 0 }, false },
    { CLASS_MRN, { "mrn" }, { 0 }, false },
    { CLASS_MRN, { "empi" }, { 0 }, false },
    { CLASS_MRN, { "csn" }, { 0 }, false },
    { CLASS_MRN, { "accession" }, { "date" }, false },
    { CLASS_MRN, { "medical", "record" }, { "date" }, false },
    { CLASS_MRN, { "chart", "number" }, { 0 }, false },
    { CLASS_MRN, { "chart", "id" }, { 0 }, false },
    { CLASS_MRN, { "unit", "number" }, { 0 }, false },
    { CLASS_MRN, { "patient", "number" }, { 0 }, false },
    { CLASS_MRN, { "patient", "id" }, { 0 }, false },
    { CLASS_ADDRESS, { "address" }, { "ip", "mac", "web" }, false },
    { CLASS_ADDRESS, { "street" }, { 0 }, false },
    { CLASS_ADDRESS, { "po", "box" }, { 0 }, false },
    { CLASS_DATE, { "date" }, { 0 }, false },
    { CLASS_DATE, { "dob" }, { 0 }, false },
    { CLASS_DATE, { "dod" }, { 0 }, false },
    { CLASS_DATE, { "birthdate" }, { 0 }, false },
    { CLASS_DATE, { "birthday" }, { 0 }, false },
    { CLASS_NAME, { "surname" }, { 0 }, false },
    { CLASS_NAME, { "firstname" }, { 0 }, false },
    { CLASS_NAME, { "lastname" }, { 0 }, false },
    { CLASS_NAME, { "fullname" }, { 0 }, false },
    { CLASS_NAME, { "forename" }, { 0 }, false },
    { CLASS_NAME, { "fname" }, { 0 }, false },
    { CLASS_NAME, { "lname" }, { 0 }, false },
    { CLASS_NAME, { "name", "first" }, { 0 }, false },
    { CLASS_NAME, { "name", "last" }, { 0 }, false },
    { CLASS_NAME, { "name", "middle" }, { 0 }, false },
    { CLASS_NAME, { "name", "full" }, { 0 }, false },
    { CLASS_NAME, { "name", "given" }, { 0 }, false },
    { CLASS_NAME, { "name", "family" }, { 0 }, false },
    { CLASS_NAME, { "name", "maiden" }, { 0 }, false },
    { CLASS_NAME, { "name", "preferred" }, { 0 }, false },
    { CLASS_NAME, { "name", "legal" }, { 0 }, false },
    { CLASS_NAME, { "name", "patient" }, { 0 }, false },
    { CLASS_NAME, { "name", "member" }, { 0 }, false },
    { CLASS_NAME, { "name", "subscriber" }, { 0 }, false },
    { CLASS_NAME, { "name", "guarantor" }, { 0 }, false },
    { CLASS_NAME, { "name", "contact" }, { 0 }, false },
    { CLASS_NAME, { "name", "mother" }, { 0 }, false },
    { CLASS_NAME, { "name", "father" }, { 0 }, false },
    { CLASS_NAME, { "name", "spouse" }, { 0 }, false },
    { CLASS_NAME, { "name", "person" }, { 0 }, false },
    { CLASS_NAME, { "name" }, { 0 }, true },
    { CLASS_SEX, { "sex" }, { 0 }, false },
};

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_word_byte(uint8_t c)
{
    return is_upper(c) || is_lower(c) || c >= 0x80;
}

/* "lastName" before N; "MRNNumber" before the last N. */
static bool starts_word(Bytes name, size_t i)
{
    if (i == 0 || !is_upper(name.ptr[i]))
        return false;
    return is_lower(name.ptr[i - 1]) ||
           (is_upper(name.ptr[i - 1]) && i + 1 < name.len && is_lower(name.ptr[i + 1]));
}

static Bytes spelt_out(Bytes word)
{
    for (size_t i = 0; i < COUNT_OF(ABBREVIATIONS); i++)
        if (text_eq(word, text_of(ABBREVIATIONS[i].shorter)))
            return text_of(ABBREVIATIONS[i].longer);
    return word;
}

static void split(Bytes name, WordList *ret)
{
    bool open = false;

    ret->count = 0;
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.ptr[i];

        if (!is_word_byte(c) || starts_word(name, i))
            open = false;
        if (!is_word_byte(c))
            continue;
        if (!open) {
            if (ret->count == WORDS_MAX)
                return;
            ret->words[ret->count++].len = 0;
            open = true;
        }
        Word *word = &ret->words[ret->count - 1];

        if (word->len < WORD_MAX) /* a longer word is none of ours */
            word->text[word->len++] = (char)(is_upper(c) ? c + ('a' - 'A') : c);
    }
}

static bool has_word(const WordList *list, const char *wanted)
{
    for (size_t i = 0; i < list->count; i++) {
        const Word *word = &list->words[i];

        if (text_eq(spelt_out((Bytes){ (const uint8_t *)word->text, word->len }), text_of(wanted)))
            return true;
    }
    return false;
}

static bool hint_fits(size_t row, const WordList *list)
{
    size_t needed = 0;

    for (size_t i = 0; i < NEEDS_MAX && HINTS[row].needs[i] != NULL; i++, needed++)
        if (!has_word(list, HINTS[row].needs[i]))
            return false;
    for (size_t i = 0; i < NEEDS_MAX && HINTS[row].unless[i] != NULL; i++)
        if (has_word(list, HINTS[row].unless[i]))
            return false;
    return !HINTS[row].alone || list->count == needed;
}

ColumnClass column_class(Bytes column_name)
{
    WordList list;

    split(column_name, &list);
    for (size_t i = 0; i < COUNT_OF(HINTS); i++)
        if (hint_fits(i, &list))
            return HINTS[i].class;
    return CLASS_NONE;
}

const char *column_class_name(ColumnClass c)
{
    for (size_t i = 0; i < COUNT_OF(CLASSES); i++)
        if (CLASSES[i].class == c)
            return CLASSES[i].name;
    return "none";
}

const char *column_class_prefix(ColumnClass c)
{
    for (size_t i = 0; i < COUNT_OF(CLASSES); i++)
        if (CLASSES[i].class == c)
            return CLASSES[i].prefix;
    return "ID";
}

bool column_class_repeats(ColumnClass c)
{
    for (size_t i = 0; i < COUNT_OF(CLASSES); i++)
        if (CLASSES[i].class == c)
            return CLASSES[i].repeats;
    return false;
}
