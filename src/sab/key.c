#include "config.h"

#include "sab/sab.h"

static result place_of(struct sab_args *a, bool make, struct signer_place *ret)
{
    *ret = (struct signer_place){
        .module = a->value[OPT_MODULE],
        .token = a->value[OPT_TOKEN],
        .pin_file = a->value[OPT_PIN_FILE],
        .key = a->value[OPT_KEY],
        .tpm = a->value[OPT_TPM],
        .handle = a->value[OPT_HANDLE],
        .attestation = a->value[OPT_ATTESTATION],
        .folder = a->value[OPT_FOLDER],
        .blob = "authority",
    };
    a->about = signer_place_wrong(ret, make);
    return a->about ? fail(E_usage) : OK;
}

result sab_key_open(struct sab_args *a, struct signer **ret)
{
    struct signer_place place;
    TRY(place_of(a, false, &place));
    return signer_open(&place, ret);
}

static result print(const struct sab_args *a, const struct signer *s, const bool *made)
{
    AUTO_BUF text = BUF(4096);
    enum signer_form form = a->value[OPT_JWK]    ? SIGNER_JWK
                            : a->value[OPT_PEM]  ? SIGNER_PEM
                            : a->value[OPT_JSON] ? SIGNER_JSON
                                                 : SIGNER_TEXT;
    TRY(signer_describe(s, form, made, &text));
    return sab_print(buf_span(&text));
}

result sab_key_show(struct sab_args *a)
{
    AUTO_SIGNER *s = NULL;
    TRY(sab_key_open(a, &s));
    return print(a, s, NULL);
}

result sab_key_new(struct sab_args *a)
{
    AUTO_SIGNER *s = NULL;
    struct signer_place place;
    bool made = false;
    TRY(place_of(a, true, &place));
    TRY(signer_provision(&place, &made));
    TRY(signer_open(&place, &s));
    return print(a, s, &made);
}
