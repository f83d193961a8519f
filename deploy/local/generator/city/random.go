package city

import (
	"hash/fnv"
	"math/rand/v2"
)

// Rand gives a stream of pseudo-random numbers that depends on the seed and on
// the stream's name and numbers only, so that drawing more for one purpose
// changes nothing elsewhere.
func Rand(seed uint64, stream string, n ...int64) *rand.Rand {
	h := fnv.New64a()
	// A hash.Hash never returns an error (https://pkg.go.dev/hash#Hash).
	_, _ = h.Write([]byte(stream))
	var b [8]byte
	for _, v := range n {
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		_, _ = h.Write(b[:]) // as above
	}
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// chance is true with probability p.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// pick draws one of the values, each as likely as the others.
func pick[T any](r *rand.Rand, values []T) T { return values[r.IntN(len(values))] }

// between draws an integer from lo to hi, both included.
func between(r *rand.Rand, lo, hi int) int { return lo + r.IntN(hi-lo+1) }

// weighted is a value and how often it comes, in any unit.
type weighted[T any] struct {
	value  T
	weight float64
}

// draw picks one of the values by their weights.
func draw[T any](r *rand.Rand, values []weighted[T]) T {
	var sum float64
	for _, v := range values {
		sum += v.weight
	}
	x := r.Float64() * sum
	for _, v := range values {
		if x -= v.weight; x < 0 {
			return v.value
		}
	}
	return values[len(values)-1].value
}

// digits draws n decimal digits.
func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}
