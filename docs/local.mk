# docs
dist_man_MANS += docs/man/sab.1 docs/man/seb-audit.1 docs/man/seb-submit.1 docs/man/seb-verifier.1 docs/man/sebctl.8 docs/man/sebd.8 docs/man/sebd.json.5
EXTRA_DIST += docs/examples/sebd.json docs/examples/sebd.service docs/examples/verifier.json docs/examples/seb-verifier.service
EXTRA_DIST += docs/adding-a-backend.md docs/architecture.md docs/attestation.md docs/auditing.md docs/formats.md docs/kubernetes.md docs/operating.md docs/peers.md docs/performance.md \
	docs/threat-model.md docs/decisions
