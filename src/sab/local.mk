# sab
bin_PROGRAMS += sab
sab_SOURCES = src/sab/sab.c src/sab/sab.h src/sab/approve.c src/sab/certify.c src/sab/contract.c \
	src/sab/contract_cluster.c src/sab/contract_compose.c src/sab/contract_kubernetes.h src/sab/key.c \
	src/sab/statement.c src/signer/signer.c src/signer/signer.h
sab_LDADD = $(SAB_FENCE_LIBS) $(HSM_LIBS) libattest.a libpolicy.a $(KUBE_LIBS)
