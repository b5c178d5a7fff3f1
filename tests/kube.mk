# On a real Kubernetes API server, which is built with Go: scripts/check-kubernetes runs these, make check doesn't.
EXTRA_DIST += scripts/check-kubernetes tests/lib/kube.sh tests/lib/kube-test.sh tests/lib/kube-www
EXTRA_DIST += tests/kube/build/go.mod tests/kube/build/go.sum tests/kube/build/tools.go
EXTRA_DIST += tests/kube/builds-once tests/kube/cluster-runs tests/kube/world.yaml tests/lib/kube-fence.sh tests/kube/fence-attacks-objects tests/kube/fence-attacks-guard \
	tests/kube/fence-attacks-controllers tests/kube/fence-attacks-credentials tests/kube/fence-honest-work tests/kube/fence-holds-by-groups
EXTRA_DIST += tests/lib/kube-stand.sh tests/lib/kube-story.sh
EXTRA_DIST += tests/kube/covers tests/kube/covers-by-groups
EXTRA_DIST += tests/kube/is-killed-at-random tests/kube/meets-drifts tests/kube/mutates-by-certificate tests/kube/refuses-the-papers-attacks \
	tests/kube/rotates-the-mint-key tests/kube/ten-commands
EXTRA_DIST += tests/kube/composed-writes
EXTRA_PROGRAMS += tests/kube/composer
tests_kube_composer_SOURCES = tests/kube/composer.c
tests_kube_composer_LDADD = $(TARGET_LIBS)
