noinst_LIBRARIES += libbus.a
libbus_a_SOURCES = \
	src/bus/bus.h src/bus/client.c src/bus/frame.c src/bus/nng_cure.c src/bus/nng_cure.h src/bus/nngs.h \
	src/bus/peers.c src/bus/peers.h src/bus/server.c
BUS_LIBS = libbus.a $(NNG_LIBS)
