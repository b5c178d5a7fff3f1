noinst_LIBRARIES += libsebconfig.a
libsebconfig_a_SOURCES = \
	src/config/config.c src/config/config.h \
	src/config/config_target.c src/config/config_target.h \
	src/config/config_tpm.c src/config/config_tpm.h \
	src/config/instance.c \
	src/config/member.c src/config/member.h \
	src/config/place.c
CONFIG_LIBS = libsebconfig.a $(BASE_LIBS)
