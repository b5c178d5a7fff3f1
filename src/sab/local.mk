# sab
bin_PROGRAMS += sab
sab_SOURCES = src/sab/sab.c src/sab/sab.h src/sab/approve.c src/sab/certify.c src/sab/contract.c src/sab/key.c \
	src/sab/statement.c src/signer/signer.c src/signer/signer.h
sab_LDADD = $(SAB_FENCE_LIBS) $(HSM_LIBS) libattest.a $(POLICY_LIBS)
