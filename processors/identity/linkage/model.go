package linkage

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Model is how a model is written. Compile makes it ready for work.
type Model struct {
	Version string `yaml:"version" json:"version"`
	// ID are the names of the column that names a record; the first that a file
	// has is taken. Source is the column that names the table or system of a
	// record; without it, the file's name does.
	ID     []string `yaml:"id" json:"id"`
	Source string   `yaml:"source,omitempty" json:"source,omitempty"`
	// Reference are the sources whose records are each another entity: a
	// register. Other records are at most one entity of it.
	Reference []string `yaml:"reference,omitempty" json:"reference,omitempty"`
	// OneEach forbids two records of one source in a cluster.
	OneEach bool `yaml:"one_each,omitempty" json:"one_each,omitempty"`
	// LinkOnly compares records of different sources only.
	LinkOnly bool `yaml:"link_only,omitempty" json:"link_only,omitempty"`

	Variants    [][]string       `yaml:"variants,omitempty" json:"variants,omitempty"`
	Columns     []ColumnSpec     `yaml:"columns" json:"columns"`
	Comparisons []ComparisonSpec `yaml:"comparisons" json:"comparisons"`
	Blocking    []RuleSpec       `yaml:"blocking" json:"blocking"`
	Training    TrainingSpec     `yaml:"training" json:"training"`
	Thresholds  Thresholds       `yaml:"thresholds" json:"thresholds"`
	// Doubts are pairs that are never linked by what they weigh: a person looks
	// at those that are above the threshold.
	Doubts []PatternSpec `yaml:"doubts,omitempty" json:"doubts,omitempty"`
	// Prior is nil in a model without weights.
	Prior  *Prior  `yaml:"prior,omitempty" json:"prior,omitempty"`
	Report *Report `yaml:"report,omitempty" json:"report,omitempty"`
	// Live is nil in a model that is for files only.
	Live *LiveSpec `yaml:"live,omitempty" json:"live,omitempty"`
}

// ColumnSpec is a column that comparisons and blocking use.
type ColumnSpec struct {
	Name string `yaml:"name" json:"name"`
	// From are the columns of a file that it may be called; the first that a
	// file has is taken. Without From, it is called Name.
	From []string `yaml:"from,omitempty" json:"from,omitempty"`
	// Join are columns whose texts are put together, with a space.
	Join []string `yaml:"join,omitempty" json:"join,omitempty"`
	Role string   `yaml:"role" json:"role"`
	// Digits is how long a number is; up to two lost leading zeros are put back.
	Digits int `yaml:"digits,omitempty" json:"digits,omitempty"`
	// Last takes the last digits of a number only: a telephone number without
	// its country, an insurance number at the end of a card's.
	Last int `yaml:"last,omitempty" json:"last,omitempty"`
	// Optional tells that the files may lack it.
	Optional bool `yaml:"optional,omitempty" json:"optional,omitempty"`
	// Order is how a date with slashes is read: dmy (the default) or mdy.
	Order string `yaml:"order,omitempty" json:"order,omitempty"`
	// Nodes are the kinds of node in whose records the column says something;
	// none for all.
	Nodes []string `yaml:"nodes,omitempty" json:"nodes,omitempty"`
	// Says names what of its record a CCCD speaks of too.
	Says *SaysSpec `yaml:"says,omitempty" json:"says,omitempty"`
	// Written are columns that say when a ward was written, the first that a
	// file has: codes of before 1 July 2025 name other places.
	Written []string `yaml:"written,omitempty" json:"written,omitempty"`
}

const (
	dayFirst   = "dmy"
	monthFirst = "mdy"
)

// ComparisonSpec is one piece of evidence: the first level that holds counts.
type ComparisonSpec struct {
	Name   string      `yaml:"name" json:"name"`
	Column string      `yaml:"column" json:"column"`
	Levels []LevelSpec `yaml:"levels" json:"levels"`
}

// LevelSpec is how far two records agree.
type LevelSpec struct {
	Is string `yaml:"is" json:"is"`
	// Of is the column, when it is not the comparison's.
	Of string `yaml:"of,omitempty" json:"of,omitempty"`
	// With is the other column of level swapped.
	With    string  `yaml:"with,omitempty" json:"with,omitempty"`
	Within  int     `yaml:"within,omitempty" json:"within,omitempty"`
	AtLeast float64 `yaml:"at_least,omitempty" json:"at_least,omitempty"`
	// Frequency weighs by how rare the value is.
	Frequency bool `yaml:"frequency,omitempty" json:"frequency,omitempty"`

	// MAtLeast is the least m that training may find: what is known to happen to
	// people and the data may not show, such as a second identity card.
	MAtLeast float64 `yaml:"m_at_least,omitempty" json:"m_at_least,omitempty"`

	// M, U and Kin are the probabilities of the level among records of one
	// entity, of two strangers, of two people of one household, and of twins.
	// 0 is unknown.
	M    float64 `yaml:"m,omitempty" json:"m,omitempty"`
	U    float64 `yaml:"u,omitempty" json:"u,omitempty"`
	Kin  float64 `yaml:"kin,omitempty" json:"kin,omitempty"`
	Twin float64 `yaml:"twin,omitempty" json:"twin,omitempty"`
}

// RuleSpec brings together the records that agree on all keys.
type RuleSpec struct {
	Name string   `yaml:"name" json:"name"`
	Keys []string `yaml:"keys" json:"keys"`
	// Max is how many records may share the keys before they say nothing;
	// without it, DefaultMax. The whole block is left out then, never a part of
	// it by order of arrival.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
}

// DefaultMax is the largest block.
const DefaultMax = 500

// TrainingSpec says how weights are found.
type TrainingSpec struct {
	// Rules are the blocking rules in whose blocks m is found, Kin those whose
	// blocks bring households together.
	Rules []string `yaml:"rules" json:"rules"`
	Kin   []string `yaml:"kin,omitempty" json:"kin,omitempty"`
	// Twins is the comparison on which some kin agree that agree on much else
	// too: the birth date.
	Twins string `yaml:"twins,omitempty" json:"twins,omitempty"`
	Seed  uint64 `yaml:"seed,omitempty" json:"seed,omitempty"`
	// Pairs bounds the pairs drawn at random, and those of each rule.
	Pairs int `yaml:"pairs,omitempty" json:"pairs,omitempty"`
}

// Thresholds are match weights, in bits.
type Thresholds struct {
	Link   float64 `yaml:"link" json:"link"`
	Review float64 `yaml:"review" json:"review"`
}

// Prior is what is believed of a pair before it is compared. It is written so
// that it holds for tables of another size too.
type Prior struct {
	// Matches is how many other records of its entity a record has.
	Matches float64 `yaml:"matches" json:"matches"`
	// Kin is how many records of its household's other people a record has.
	Kin float64 `yaml:"kin,omitempty" json:"kin,omitempty"`
	// Twins is how many records of its twins a record has.
	Twins float64 `yaml:"twins,omitempty" json:"twins,omitempty"`
	// Coverage is the share of other records whose entity is in the reference.
	Coverage float64 `yaml:"coverage,omitempty" json:"coverage,omitempty"`
}

// ParseModel reads a model strictly: unknown keys are refused with their line.
func ParseModel(text []byte) (*Model, error) {
	if err := plainYAML(text); err != nil {
		return nil, fmt.Errorf("model: %w", atLine(err))
	}
	var m Model
	if err := yaml.UnmarshalWithOptions(text, &m, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("model: %w", atLine(err))
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return &m, nil
}

// atLine makes one line of an error of the YAML library, which draws the text.
func atLine(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil || y.GetToken().Position == nil {
		return err
	}
	line := y.GetToken().Position.Line
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		return fmt.Errorf("line %d: there is no key %q here: see 'hopluu identity model city' for all of them", line, y.GetToken().Value)
	}
	return fmt.Errorf("line %d: %s", line, y.GetMessage())
}

// Marshal writes a model as ParseModel reads it.
func (m *Model) Marshal() ([]byte, error) {
	return yaml.MarshalWithOptions(m, yaml.IndentSequence(true))
}

// Trained tells whether the model has weights.
func (m *Model) Trained() bool { return m.Prior != nil }

func (m *Model) check() error {
	switch {
	case m.Version == "":
		return errors.New("version is missing: give the model one that no other model has")
	case len(m.ID) == 0:
		return errors.New("id is missing: name the column that names a record")
	case len(m.Columns) == 0 || len(m.Comparisons) == 0 || len(m.Blocking) == 0:
		return errors.New("columns, comparisons and blocking are all needed")
	case len(m.Comparisons) > maxComparisons:
		return fmt.Errorf("%d comparisons: give at most %d", len(m.Comparisons), maxComparisons)
	case m.Thresholds.Review > m.Thresholds.Link:
		return fmt.Errorf("thresholds: review (%g) is above link (%g)", m.Thresholds.Review, m.Thresholds.Link)
	}
	seen := map[string]bool{}
	for _, c := range m.Columns {
		if c.Name == "" || seen[c.Name] {
			return fmt.Errorf("columns: the name %q is empty or stands twice", c.Name)
		}
		seen[c.Name] = true
		if _, ok := roles[c.Role]; !ok {
			return fmt.Errorf("columns: %s has role %q: use one of %s", c.Name, c.Role, names(roles))
		}
		if c.Digits < 0 || c.Digits > maxDigits || c.Last < 0 || c.Last > maxDigits {
			return fmt.Errorf("columns: %s: digits and last are 1 to %d", c.Name, maxDigits)
		}
		if c.Order != "" && c.Order != dayFirst && c.Order != monthFirst {
			return fmt.Errorf("columns: %s has order %q: use dmy or mdy", c.Name, c.Order)
		}
		if r := roles[c.Role]; r.read != nil && (c.Digits > 0 || c.Last > 0) {
			return fmt.Errorf("columns: %s: role %s knows its digits: leave digits and last out", c.Name, c.Role)
		}
		if len(c.Written) > 0 && c.Role != "ward" {
			return fmt.Errorf("columns: %s: written is for role ward", c.Name)
		}
		if len(c.Join) > 0 && roles[c.Role].kind != textKind {
			return fmt.Errorf("columns: %s: join is for texts: role %s takes from", c.Name, c.Role)
		}
		if len(c.Join) > 0 && len(c.From) > 0 {
			return fmt.Errorf("columns: %s has both from and join: use one", c.Name)
		}
	}
	if m.Prior != nil {
		p := m.Prior
		if !(p.Matches > 0) || !(p.Kin >= 0) || !(p.Twins >= 0) || !(p.Coverage >= 0) || p.Coverage >= 1 || math.IsInf(p.Matches+p.Kin+p.Twins, 0) {
			return errors.New("prior: matches is above 0, kin and twins are 0 or more, coverage is from 0 to below 1")
		}
	}
	rules := map[string]bool{}
	for _, r := range m.Blocking {
		if r.Name == "" || rules[r.Name] {
			return fmt.Errorf("blocking: the name %q is empty or stands twice", r.Name)
		}
		rules[r.Name] = true
	}
	for _, name := range slices.Concat(m.Training.Rules, m.Training.Kin) {
		if !rules[name] {
			return fmt.Errorf("training: there is no blocking rule %q", name)
		}
	}
	if name := m.Training.Twins; name != "" && m.comparison(name) < 0 {
		return fmt.Errorf("training: twins: there is no comparison %q", name)
	}
	if len(m.Training.Rules) == 0 {
		return errors.New("training: rules is empty: name two blocking rules or more that use different columns")
	}
	_, err := m.compile()
	return err
}

func (m *Model) column(name string) int {
	return slices.IndexFunc(m.Columns, func(c ColumnSpec) bool { return c.Name == name })
}

func (m *Model) comparison(name string) int {
	return slices.IndexFunc(m.Comparisons, func(c ComparisonSpec) bool { return c.Name == name })
}

func names[V any](m map[string]V) string {
	var all []string
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return join(all)
}

func join(all []string) string {
	var b []byte
	for i, s := range all {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, s...)
	}
	return string(b)
}

// plainYAML refuses tags, anchors and aliases: a model needs none, and some of
// them make the YAML library panic.
func plainYAML(text []byte) error {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return err
	}
	var fancy plainVisitor
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			ast.Walk(&fancy, doc.Body)
		}
	}
	if fancy.line > 0 {
		return fmt.Errorf("line %d: write it out without tags, anchors and aliases", fancy.line)
	}
	return nil
}

// plainVisitor finds the first line with a tag, an anchor or an alias.
type plainVisitor struct{ line int }

// Visit looks at one node.
func (v *plainVisitor) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.TagNode, *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		if v.line == 0 {
			v.line = n.GetToken().Position.Line
		}
		return nil
	}
	return v
}
