# Other people's code, in Go: scripts/check-peers builds and runs it, make doesn't.
EXTRA_DIST += scripts/check-peers docs/peers.md tests/peers/go.mod tests/peers/go.sum tests/peers/main.go tests/peers/report.go \
	tests/peers/evidence.go tests/peers/vectors.go tests/peers/run.go tests/peers/checkpoints.go tests/peers/credentials.go \
	tests/peers/proofs.go tests/peers/results.go tests/peers/tiles.go
