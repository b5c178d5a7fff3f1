package main

import (
	"fmt"
	"strings"
)

// A report prints each check as it is made.
type report struct {
	part           string
	passed, failed int
}

func (r *report) say(good bool, name, why string) {
	if good {
		r.passed++
		fmt.Printf("ok - %s: %s\n", r.part, name)
		return
	}
	r.failed++
	fmt.Printf("not ok - %s: %s\n# %s\n", r.part, name, strings.ReplaceAll(why, "\n", "\n# "))
}

// accepted is a check that a peer took something honest.
func (r *report) accepted(name string, err error) {
	r.say(err == nil, name, fmt.Sprint(err))
}

// refused is a check that a peer refused something, and for this reason: a refusal for another one would prove nothing.
func (r *report) refused(name, reason string, err error) {
	switch {
	case err == nil:
		r.say(false, name, "it was accepted")
	case !strings.Contains(err.Error(), reason):
		r.say(false, name, fmt.Sprintf("it was refused for another reason than %q: %v", reason, err))
	default:
		r.say(true, name, "")
	}
}

// allRefused is a check of a sweep: each of its variants must be refused, and there must be some.
func allRefused[T any](r *report, what string, variants []T, try func(T) error) {
	for i, variant := range variants {
		if try(variant) == nil {
			r.say(false, what+" is refused", fmt.Sprintf("variant %d was accepted: %q", i, fmt.Sprint(variant)))
			return
		}
	}
	r.say(len(variants) > 0, fmt.Sprintf("%s is refused (%d variants)", what, len(variants)), "nothing to try")
}

// flips are all copies of b with one bit changed.
func flips(b []byte) [][]byte {
	var all [][]byte
	for i := 0; i < 8*len(b); i++ {
		all = append(all, flipped(b, i))
	}
	return all
}

func flipped(b []byte, bit int) []byte {
	c := append([]byte(nil), b...)
	c[bit/8] ^= 1 << (bit % 8)
	return c
}

// prefixes are all that is left of b when its end is cut off.
func prefixes(b []byte) [][]byte {
	var all [][]byte
	for i := range b {
		all = append(all, b[:i])
	}
	return all
}
