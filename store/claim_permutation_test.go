package store

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPermutation_GivesEveryNumberOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := permutation{size: rapid.Uint64Range(0, 3000).Draw(t, "size"), seed: rapid.Uint64().Draw(t, "seed")}
		seen := make([]bool, p.size)
		for n := range p.size {
			at := p.at(n)
			require.Less(t, at, p.size)
			require.False(t, seen[at])
			seen[at] = true
		}
	})
}

func TestPermutation_LeavesAlmostNothingInItsPlace(t *testing.T) {
	t.Parallel()
	p := permutation{size: 10_000, seed: 7}
	fixed, ascending := 0, 0
	for n := range p.size - 1 {
		if p.at(n) == n {
			fixed++
		}
		if p.at(n) < p.at(n+1) {
			ascending++
		}
	}
	require.Less(t, fixed, 20)
	require.InDelta(t, 5000, ascending, 300)
}

func TestRandomCode_UsesTheWholeAlphabetEvenly(t *testing.T) {
	t.Parallel()
	const alphabet, n = "23456789BCDFGHJKMNPQRSTWXYZ", 27_000
	counts := map[byte]int{}
	for range n {
		code := randomCode("#", alphabet)
		require.Len(t, code, 1)
		counts[code[0]]++
	}
	for _, c := range []byte(alphabet) {
		require.InDelta(t, n/len(alphabet), counts[c], 200)
	}
}
