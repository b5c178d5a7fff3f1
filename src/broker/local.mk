# src/broker

pkglibexec_PROGRAMS += seb-front
seb_front_SOURCES = \
	src/broker/child.c src/broker/child.h \
	src/broker/front.c \
	src/broker/front_parse.c src/broker/front_parse.h \
	src/broker/front_state.c src/broker/front_state.h
seb_front_LDADD = libbus.a liblink.a libsebconfig.a $(BASE_LIBS) $(NNG_LIBS)

pkglibexec_PROGRAMS += seb-core
seb_core_SOURCES = \
	src/broker/child.c src/broker/child.h \
	src/broker/core.c src/broker/core.h src/broker/core_loop.h \
	src/broker/core_admin.c src/broker/core_noise.c src/broker/core_outcome.c src/broker/core_recover.c \
	src/broker/core_reply.c src/broker/core_request.c src/broker/core_stages.c src/broker/core_start.c \
	src/broker/core_timers.c src/broker/core_work.c \
	src/broker/journal.c src/broker/journal.h
seb_core_LDADD = libstore.a libtarget.a libpolicy.a libentry.a libmerkle.a liblink.a libsebconfig.a $(BASE_LIBS) $(SQLITE_LIBS)

pkglibexec_PROGRAMS += seb-keeper
seb_keeper_SOURCES = \
	src/broker/child.c src/broker/child.h \
	src/broker/keeper.c src/broker/keeper.h \
	src/broker/keeper_chip.c src/broker/keeper_chip.h \
	src/broker/keeper_hsm.c src/broker/keeper_hsm.h \
	src/broker/keeper_judge.c src/broker/keeper_judge.h \
	src/broker/keeper_keys.c src/broker/keeper_log.c \
	src/broker/keeper_memory.c src/broker/keeper_memory.h \
	src/broker/keeper_mint.c src/broker/keeper_policy.c
seb_keeper_LDADD = $(HSM_LIBS) libattest.a libmint.a libtarget.a libpolicy.a libentry.a libmerkle.a liblink.a libsebconfig.a $(BASE_LIBS)

sbin_PROGRAMS += sebd
sebd_SOURCES = \
	src/broker/child.c src/broker/child.h \
	src/broker/supervisor.c src/broker/supervisor.h \
	src/broker/supervisor_notify.c src/broker/supervisor_run.c src/broker/supervisor_spawn.c src/broker/supervisor_tpm.c
sebd_LDADD = liblink.a libsebconfig.a $(BASE_LIBS)

pkglibexec_PROGRAMS += seb-runner
seb_runner_SOURCES = \
	src/broker/child.c src/broker/child.h \
	src/broker/runner.c src/broker/runner.h \
	src/broker/runner_plan.c
seb_runner_LDADD = libcall.a libtarget.a liblink.a libsebconfig.a $(BASE_LIBS) $(CURL_LIBS)
