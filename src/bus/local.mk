noinst_LIBRARIES += libbus.a
libbus_a_SOURCES = \
	src/bus/bus.h src/bus/client.c src/bus/client.h src/bus/frame.c src/bus/gate.c src/bus/gate.h \
	src/bus/nng_cure.c src/bus/nng_cure.h src/bus/nngs.h src/bus/peers.c src/bus/peers.h src/bus/server.c \
	src/bus/sp.c src/bus/sp.h src/bus/tls.c src/bus/tls.h src/bus/tls_client.c \
	src/bus/tls_connections.c src/bus/tls_connections.h src/bus/tls_server.c src/bus/tls_server.h
BUS_LIBS = libbus.a $(NNG_LIBS)
# What serves, or asks over TLS. Before BASE_LIBS.
BUS_TLS_LIBS = $(BUS_LIBS) $(SSL_LIBS)
