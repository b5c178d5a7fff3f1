# seb-keeper: TPM and HSM.
pkglibexec_PROGRAMS += seb-keeper
seb_keeper_SOURCES = \
	src/child/child.c src/child/child.h \
	src/keeper/keeper.c src/keeper/keeper.h \
	src/keeper/chip.c src/keeper/chip.h \
	src/keeper/hsm.c src/keeper/hsm.h \
	src/keeper/judge.c src/keeper/judge.h \
	src/keeper/keys.c src/keeper/log.c \
	src/keeper/memory.c src/keeper/memory.h \
	src/keeper/mint.c src/keeper/policy.c \
	src/keeper/vouched.c src/keeper/vouched.h
seb_keeper_LDADD = $(HSM_LIBS) libattest.a libmint.a libscope.a libtarget.a libpolicy.a libentry.a libmerkle.a liblink.a libsebconfig.a $(BASE_LIBS)
