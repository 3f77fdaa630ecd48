#include "policy/column_class.h"

#include "base/text.h"
#include "test.h"

static const struct {
    const char *column;
    ColumnClass class;
} CASES[] = {
    { "ssn", CLASS_SSN },
    { "patient_ssn", CLASS_SSN },
    { "SSN_LAST4", CLASS_SSN },
    { "socialSecurityNo", CLASS_SSN },
    { "emission", CLASS_NONE },
    { "lessness", CLASS_NONE },
    { "mrn", CLASS_MRN },
    { "MRNNumber", CLASS_MRN },
    { "med_rec_nbr", CLASS_MRN },
    { "pt_id", CLASS_MRN },
    { "chartNo", CLASS_MRN },
    { "last_name", CLASS_NAME },
    { "lastName", CLASS_NAME },
    { "LST_NM", CLASS_NAME },
    { "name", CLASS_NAME },
    { "patient_nm", CLASS_NAME },
    { "surname", CLASS_NAME },
    { "file_name", CLASS_NONE },
    { "drug_name", CLASS_NONE },
    { "username", CLASS_NONE },
    { "phone", CLASS_PHONE },
    { "home_ph", CLASS_PHONE },
    { "tel1", CLASS_PHONE },
    { "faxNumber", CLASS_PHONE },
    { "phonetic", CLASS_NONE },
    { "email", CLASS_EMAIL },
    { "email_address", CLASS_EMAIL },
    { "e_mail", CLASS_EMAIL },
    { "address_line_1", CLASS_ADDRESS },
    { "homeAddr", CLASS_ADDRESS },
    { "street", CLASS_ADDRESS },
    { "ip_address", CLASS_NONE },
    { "birth_date", CLASS_DATE },
    { "brth_dt", CLASS_DATE },
    { "dob", CLASS_DATE },
    { "admitDate", CLASS_DATE },
    { "updated", CLASS_NONE },
    { "zip", CLASS_ZIP },
    { "zip_code", CLASS_ZIP },
    { "postal_code", CLASS_ZIP },
    { "zipper", CLASS_NONE },
    { "gender", CLASS_SEX },
    { "id", CLASS_NONE },
    { "city", CLASS_NONE },
    { "", CLASS_NONE },
    { "____", CLASS_NONE },
    { "a_b_c_d_e_f_g_h_i_j_k_l_m_n_o_p", CLASS_NONE },
};

static void names_are_read_by_words(void)
{
    size_t wrong = 0;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const ColumnClass got = column_class(text_of(CASES[i].column));

        if (got != CASES[i].class) {
            fprintf(stderr, "%s: %s\n", CASES[i].column, column_class_name(got));
            wrong++;
        }
    }
    EXPECT(wrong == 0);
}

static void classes_know_their_prefix(void)
{
    EXPECT(text_eq(text_of(column_class_prefix(CLASS_MRN)), LIT("MRN")));
    EXPECT(text_eq(text_of(column_class_prefix(CLASS_NONE)), LIT("ID")));
    EXPECT(column_class_repeats(CLASS_ZIP) && !column_class_repeats(CLASS_MRN));
    EXPECT(!column_class_repeats(CLASS_NONE));
}

int main(void)
{
    TEST(names_are_read_by_words);
    TEST(classes_know_their_prefix);
    return 0;
}
