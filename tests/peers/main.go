// Peers has other people's code judge what seb signs: checkpoints, credentials, proofs and tiles. It shares no code with seb.
//
//	peers vectors DIR   the test vectors (tests/vectors)
//	peers run DIR       what a broker left of a run: see run.go
//
// Each check is a line, "ok - …" or "not ok - …"; the exit code is 1 if one is not ok.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		usage()
	}
	load, ok := map[string]func(string) (*evidence, error){"vectors": loadVectors, "run": loadRun}[os.Args[1]]
	if !ok {
		usage()
	}
	e, err := load(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(2)
	}
	r := &report{part: os.Args[1]}
	judgeCheckpoints(r, e)
	judgeCredentials(r, e)
	judgeResults(r, e)
	if e.export != "" {
		judgeTiles(r, e)
	}
	judgeProofs(r, e)
	if r.failed > 0 || r.passed == 0 {
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: peers vectors|run DIR")
	os.Exit(2)
}
