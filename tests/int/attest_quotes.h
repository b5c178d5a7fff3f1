#ifndef SEB_TESTS_ATTEST_QUOTES_H
#define SEB_TESTS_ATTEST_QUOTES_H

/* Appraises what the TPM of DIR quotes, reset, cut off and tampered with; `script STEP DIR` is the TPM's side. An exit code. */
int attest_quotes(const char *script, const char *dir);

#endif
