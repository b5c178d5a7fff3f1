# seb-submit
bin_PROGRAMS += seb-submit
seb_submit_SOURCES = \
	src/submit/submit.c src/submit/options.c src/submit/options.h \
	src/submit/request.c src/submit/request.h \
	src/submit/reply.c src/submit/reply.h \
	src/signer/signer.c src/signer/signer.h
seb_submit_LDADD = libbus.a libmerkle.a $(HSM_LIBS) $(BASE_LIBS) $(NNG_LIBS)
