package main

import (
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

func (p inclusion) verify() error {
	return proof.VerifyInclusion(rfc6962.DefaultHasher, p.index, p.size, p.leaf, p.proof, p.root)
}

func (p consistency) verify() error {
	return proof.VerifyConsistency(rfc6962.DefaultHasher, p.from, p.to, p.proof, p.fromRoot, p.toRoot)
}

func judgeProofs(r *report, e *evidence) {
	judgeInclusion(r, e)
	judgeConsistency(r, e)
}

func judgeInclusion(r *report, e *evidence) {
	longest := inclusion{}
	for _, p := range e.inclusions {
		if err := p.verify(); err != nil {
			r.accepted("each inclusion proof is accepted", fmt.Errorf("%s: %w", p.name, err))
			return
		}
		if len(p.proof) >= len(longest.proof) {
			longest = p
		}
	}
	n := len(e.inclusions)
	r.say(n > 0, fmt.Sprintf("each inclusion proof is accepted (%d)", n), "there are none")
	if n == 0 {
		return
	}
	allRefused(r, "an inclusion proof with a bit flipped in leaf, proof or root", longest.flips(), inclusion.verify)
	allRefused(r, "an inclusion proof for another index", longest.moved(), inclusion.verify)
	allRefused(r, "an inclusion proof with a hash too few or too many", longest.resized(), inclusion.verify)
}

func judgeConsistency(r *report, e *evidence) {
	longest := consistency{}
	for _, p := range e.consistences {
		if err := p.verify(); err != nil {
			r.accepted("each consistency proof is accepted", fmt.Errorf("from %d to %d: %w", p.from, p.to, err))
			return
		}
		if len(p.proof) >= len(longest.proof) {
			longest = p
		}
	}
	n := len(e.consistences)
	r.say(n > 0, fmt.Sprintf("each consistency proof is accepted (%d)", n), "there are none")
	if n == 0 {
		return
	}
	swapped := longest
	swapped.fromRoot, swapped.toRoot = longest.toRoot, longest.fromRoot
	allRefused(r, "a consistency proof with a bit flipped in proof or roots", longest.flips(), consistency.verify)
	allRefused(r, "a consistency proof with the roots swapped", []consistency{swapped}, consistency.verify)
	allRefused(r, "a consistency proof with a hash too few or too many", longest.resized(), consistency.verify)
}

func (p inclusion) flips() []inclusion {
	var all []inclusion
	for bit := 0; bit < 256; bit++ {
		leaf, root := p, p
		leaf.leaf, root.root = flipped(p.leaf, bit), flipped(p.root, bit)
		all = append(all, leaf, root)
	}
	for _, hashes := range flippedIn(p.proof) {
		changed := p
		changed.proof = hashes
		all = append(all, changed)
	}
	return all
}

func (p inclusion) moved() []inclusion {
	var all []inclusion
	for index := uint64(0); index <= p.size; index++ {
		if index != p.index {
			changed := p
			changed.index = index
			all = append(all, changed)
		}
	}
	return all
}

func (p inclusion) resized() []inclusion {
	fewer, more := p, p
	fewer.proof, more.proof = resized(p.proof, p.leaf)
	return []inclusion{fewer, more}
}

func (p consistency) flips() []consistency {
	var all []consistency
	for bit := 0; bit < 256; bit++ {
		from, to := p, p
		from.fromRoot, to.toRoot = flipped(p.fromRoot, bit), flipped(p.toRoot, bit)
		all = append(all, from, to)
	}
	for _, hashes := range flippedIn(p.proof) {
		changed := p
		changed.proof = hashes
		all = append(all, changed)
	}
	return all
}

func (p consistency) resized() []consistency {
	fewer, more := p, p
	fewer.proof, more.proof = resized(p.proof, p.fromRoot)
	return []consistency{fewer, more}
}

// flippedIn are all copies of a list of hashes with one bit changed.
func flippedIn(list [][]byte) [][][]byte {
	var all [][][]byte
	for i, hash := range list {
		for _, changed := range flips(hash) {
			copied := append([][]byte(nil), list...)
			copied[i] = changed
			all = append(all, copied)
		}
	}
	return all
}

func resized(list [][]byte, another []byte) (fewer, more [][]byte) {
	return list[:len(list)-1], append(append([][]byte(nil), list...), another)
}
