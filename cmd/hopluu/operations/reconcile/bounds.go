package reconcile

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// bounds are the keys of a range: those behind after, up to and with upTo. A nil
// one is an open end. Of a table whose key holds tokens, which have no order at
// the source, they are a share instead: the keys whose hash leaves the rest
// bucket when it is divided by buckets.
type bounds struct {
	after, upTo     []string
	bucket, buckets uint64
	// only, if not nil, are the keys, in the place of a range.
	only [][]string
	// limit is how many rows of the source are read, 0 for all within the ends.
	limit int
}

// sourceKey gives the expression by which the source orders a key column, the
// same as a text is ordered byte by byte: the column itself where that is so,
// for which an index serves.
func (l layout) sourceKey(i int) string {
	c := &l.columns[l.key[i]]
	if l.integer[i] || c.native {
		// With the table's name before it: a bare name would mean the output
		// column, which is text.
		return pgx.Identifier{l.table, c.name}.Sanitize()
	}
	return "(" + c.postgres + `) COLLATE "C"`
}

// landedKey is ClickHouse's side of sourceKey.
func (l layout) landedKey(i int) string {
	c := &l.columns[l.key[i]]
	if l.integer[i] || c.landedType == "String" {
		return identifier(c.landed)
	}
	return c.clickhouse
}

func (l layout) keys(of func(int) string) []string {
	all := make([]string, len(l.key))
	for i := range l.key {
		all[i] = of(i)
	}
	return all
}

// sourceWithin are the conditions of a range at the source. Its texts are
// literals of no type yet, which take the type of what they are compared with.
func (l layout) sourceWithin(b bounds) (conditions []string) {
	if b.only != nil && !l.tokenKey {
		rows := make([]string, len(b.only))
		for i, key := range b.only {
			rows[i] = "(" + sourceLiterals(key) + ")"
		}
		return []string{fmt.Sprintf("(%s) IN (%s)", strings.Join(l.keys(l.sourceKey), ", "), strings.Join(rows, ", "))}
	}
	for _, end := range []struct {
		operator string
		key      []string
	}{{">", b.after}, {"<=", b.upTo}} {
		if end.key == nil {
			continue
		}
		conditions = append(conditions, fmt.Sprintf("(%s) %s (%s)", strings.Join(l.keys(l.sourceKey), ", "), end.operator, sourceLiterals(end.key)))
	}
	return conditions
}

func sourceLiterals(key []string) string {
	literals := make([]string, len(key))
	for i, text := range key {
		literals[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return strings.Join(literals, ", ")
}

func (l layout) landedLiterals(key []string) []string {
	literals := make([]string, len(key))
	for i, text := range key {
		literals[i] = quoted(text)
		if l.integer[i] {
			literals[i] = "toInt64(" + quoted(text) + ")"
		}
	}
	return literals
}

// landedWithin are the conditions of a range in ClickHouse. That on the first
// column alone, which the one on all of them implies, finds the granules.
func (l layout) landedWithin(b bounds) (conditions []string) {
	if b.only != nil {
		rows := make([]string, len(b.only))
		for i, key := range b.only {
			rows[i] = "(" + strings.Join(l.landedLiterals(key), ", ") + ")"
		}
		return []string{fmt.Sprintf("(%s) IN (%s)", strings.Join(l.keys(l.landedKey), ", "), strings.Join(rows, ", "))}
	}
	if b.buckets > 1 {
		return []string{fmt.Sprintf("%s %% %d = %d", l.landedHash(), b.buckets, b.bucket)}
	}
	for _, end := range []struct {
		operator string
		key      []string
	}{{">", b.after}, {"<=", b.upTo}} {
		if end.key == nil {
			continue
		}
		literals := l.landedLiterals(end.key)
		keys := l.keys(l.landedKey)
		conditions = append(conditions, fmt.Sprintf("%s %s= %s", keys[0], end.operator[:1], literals[0]))
		if len(keys) == 1 {
			conditions = append(conditions, fmt.Sprintf("%s %s %s", keys[0], end.operator, literals[0]))
		} else {
			conditions = append(conditions, fmt.Sprintf("(%s) %s (%s)", strings.Join(keys, ", "), end.operator, strings.Join(literals, ", ")))
		}
	}
	return conditions
}

// landedHash is what bucketOf gives of a row's key, in ClickHouse.
func (l layout) landedHash() string {
	texts := make([]string, len(l.key))
	for i, k := range l.key {
		texts[i] = l.columns[k].clickhouse
	}
	return "xxHash64(concat(" + strings.Join(texts, ", '|', ") + ", ''))"
}

// quoted is a text as ClickHouse reads it.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
