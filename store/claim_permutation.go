package store

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// permutation scatters draws over a batch: every number below size has one
// image below size, and no two have the same. It needs no memory, so a random
// draw from ten million codes costs what an ordered one costs, and nothing is
// shuffled at import.
//
// It is a balanced Feistel network over the smallest even number of bits that
// holds size, walked in cycles: an image outside is fed in again until it falls
// inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). The
// domain is less than four times size, so this takes four rounds of walking on
// average at most.
type permutation struct {
	size uint64
	seed uint64
}

const feistelRounds = 4

func (p permutation) at(n uint64) uint64 {
	if p.size < 2 {
		return n
	}
	half := (bits.Len64(p.size-1) + 1) / 2
	for {
		n = p.encrypt(n, half)
		if n < p.size {
			return n
		}
	}
}

func (p permutation) encrypt(n uint64, half int) uint64 {
	mask := uint64(1)<<half - 1
	left, right := n>>half, n&mask
	for round := range uint64(feistelRounds) {
		left, right = right, left^p.mix(round, right)&mask
	}
	return left<<half | right
}

func (p permutation) mix(round, n uint64) uint64 {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:8], p.seed)
	binary.BigEndian.PutUint64(b[8:16], round)
	binary.BigEndian.PutUint64(b[16:], n)
	sum := sha256.Sum256(b[:])
	return binary.BigEndian.Uint64(sum[:8])
}
