package linkage

// jaroWinkler gives the similarity of two texts of bytes, 0 to 1 (Winkler,
// "String Comparator Metrics and Enhanced Decision Rules", 1990; prefix scale
// 0.1, at most 4 letters). It is the same for (a, b) and (b, a).
func jaroWinkler(a, b string) float64 {
	const most = 64
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	if len(a) > len(b) || len(a) == len(b) && a > b {
		a, b = b, a
	}
	if len(a) == 0 {
		return 0
	}
	window := max(len(b)/2-1, 0)
	var usedA, usedB uint64
	matches := 0
	for i := range len(a) {
		for j := max(0, i-window); j < min(len(b), i+window+1); j++ {
			if usedB>>j&1 == 0 && a[i] == b[j] {
				usedA |= 1 << i
				usedB |= 1 << j
				matches++
				break
			}
		}
	}
	if matches == 0 {
		return 0
	}
	halves, j := 0, 0
	for i := range len(a) {
		if usedA>>i&1 == 0 {
			continue
		}
		for usedB>>j&1 == 0 {
			j++
		}
		if a[i] != b[j] {
			halves++
		}
		j++
	}
	m := float64(matches)
	jaro := (m/float64(len(a)) + m/float64(len(b)) + (m-float64(halves)/2)/m) / 3
	prefix := 0
	for prefix < min(4, len(a)) && a[prefix] == b[prefix] {
		prefix++
	}
	return jaro + float64(prefix)*0.1*(1-jaro)
}

// edits gives the Damerau-Levenshtein distance (optimal string alignment) of
// two texts of bytes, or more than limit when it is more.
func edits(a, b string, limit int) int {
	const most = 96
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > limit {
		return limit + 1
	}
	var rows [3][most + 1]int
	before, last, this := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		this[0] = i
		best := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, this[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			this[j] = d
			best = min(best, d)
		}
		if best > limit {
			return limit + 1
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}

// soundex gives the code of the first word of a toneless text, "" when it has
// no letter (the American Soundex of the National Archives).
func soundex(s string) string {
	const codes = "01230120022455012623010202" // a to z; h and w are passed over
	out := make([]byte, 0, 4)
	var last byte
	for i := 0; i < len(s) && len(out) < 4; i++ {
		c := s[i]
		if c < 'a' || c > 'z' {
			if len(out) > 0 {
				break
			}
			continue
		}
		code := codes[c-'a']
		switch {
		case len(out) == 0:
			out = append(out, c)
		case c == 'h' || c == 'w':
			continue
		case code != '0' && code != last:
			out = append(out, code)
		}
		last = code
	}
	for len(out) > 0 && len(out) < 4 {
		out = append(out, '0')
	}
	return string(out)
}

// nearNumbers tells numbers of which one digit is another, missing or more, or
// of which two neighbours changed places.
func nearNumbers(a, b uint64) bool {
	if a < b {
		a, b = b, a
	}
	x, y := a, b // above the last digits, in which they agree
	for x%10 == y%10 && x > 0 {
		x, y = x/10, y/10
	}
	// One other digit.
	if x/10 == y/10 {
		return true
	}
	// Two neighbours.
	if x/100 == y/100 && x%10 == y/10%10 && y%10 == x/10%10 {
		return true
	}
	// One digit more in the larger one: where they part, as the digits below
	// agree.
	return x/10 == y
}
