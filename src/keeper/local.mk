# seb-keeper: TPM and HSM.
pkglibexec_PROGRAMS += seb-keeper
seb_keeper_SOURCES = \
	src/child/child.c src/child/child.h \
	src/keeper/keeper.c src/keeper/keeper.h \
	src/keeper/anchor.c src/keeper/approval.c src/keeper/approvals.c src/keeper/approvals.h \
	src/keeper/challenge.c src/keeper/chip.c src/keeper/chip.h src/keeper/chip_jobs.c src/keeper/chip_side.h \
	src/keeper/evidence.c \
	src/keeper/hsm.c src/keeper/hsm.h \
	src/keeper/judge.c src/keeper/judge.h \
	src/keeper/keys.c src/keeper/log.c \
	src/keeper/measure.c src/keeper/measure.h \
	src/keeper/memory.c src/keeper/memory.h src/keeper/mint_key.c \
	src/keeper/mint.c src/keeper/policy.c \
	src/keeper/state.c src/keeper/turn.c src/keeper/verdict.c \
	src/keeper/vouched.c src/keeper/vouched.h
seb_keeper_LDADD = $(HSM_LIBS) libattest.a libmint.a libscope.a libtarget.a libpolicy.a libentry.a libmerkle.a liblink.a libsebconfig.a $(BASE_LIBS)
