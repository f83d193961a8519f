package identity

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

//go:embed models/deterministic-1.yaml
var deterministic1 []byte

// Deterministic1 is the model "deterministic-1". Every process that publishes
// links under one version decides alike.
func Deterministic1() (*Model, error) { return ParseModel(deterministic1) }

// Outcome is what a model says of a pair.
type Outcome uint8

// The outcomes.
const (
	OutcomeApart  Outcome = iota + 1 // two persons
	OutcomeReview                    // a person must say; until then, two persons
	OutcomeLink                      // one person, unless the cluster forbids it
)

var outcomeNames = [...]string{"", "apart", "review", "link"}

func (o Outcome) String() string { return outcomeNames[o] }

// Model decides pairs. It is versioned data: the same version, comparison and
// pair give the same decision anywhere.
type Model struct {
	Version string
	// MaxHolders is how many records may hold an identifier that still says
	// something of its holder.
	MaxHolders int
	rules      []rule
	weights    [fields][levels]float64
	variants   map[string]string // syllable -> the first of its variants
}

type rule struct {
	name          string
	levels        [fields]levelSet
	outcome       Outcome
	contradiction bool
}

// modelFile is how a model is written.
type modelFile struct {
	Version    string     `yaml:"version"`
	MaxHolders int        `yaml:"max_holders"`
	Variants   [][]string `yaml:"variants"`
	// Sets are names for several levels, to be used among them.
	Sets map[string][]string `yaml:"sets"`
	// Weights is log2(m/u) of a level of a field, 0 where none is given.
	Weights map[string]map[string]float64 `yaml:"weights"`
	Rules   []ruleFile                    `yaml:"rules"`
}

type ruleFile struct {
	Name          string              `yaml:"name"`
	When          map[string][]string `yaml:"when"`
	Outcome       string              `yaml:"outcome"`
	Contradiction bool                `yaml:"contradiction"`
}

// The number of a rule fits a byte, with two values of their own.
const (
	maxRules     = 254
	ruleRegister = 254 // RuleRegister
	noRule       = 255 // no rule held
)

// ParseModel reads a model. Unknown keys, fields and levels are refused, and rules
// that can never hold.
func ParseModel(text []byte) (*Model, error) {
	var f modelFile
	if err := plainYAML(text); err != nil {
		return nil, fmt.Errorf("identity model: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("identity model: %w", err)
	}
	m := &Model{Version: f.Version, MaxHolders: f.MaxHolders, variants: map[string]string{}}
	if m.Version == "" {
		return nil, errors.New("identity model: version is missing: give the model one that no other model has")
	}
	if m.MaxHolders < 2 || m.MaxHolders > 1000 {
		return nil, fmt.Errorf("identity model %s: max_holders is %d: give 2 to 1000, as every two holders are compared", m.Version, m.MaxHolders)
	}
	if len(f.Rules) == 0 || len(f.Rules) > maxRules {
		return nil, fmt.Errorf("identity model %s: %d rules: give 1 to %d", m.Version, len(f.Rules), maxRules)
	}
	for _, group := range f.Variants {
		for _, syllable := range group {
			syllable = tonelessName(canonicalName(syllable))
			if _, again := m.variants[syllable]; again {
				return nil, fmt.Errorf("identity model %s: %q stands in variants twice", m.Version, syllable)
			}
			m.variants[syllable] = tonelessName(canonicalName(group[0]))
		}
	}
	for i, r := range f.Rules {
		if err := m.addRule(r, f.Sets); err != nil {
			return nil, fmt.Errorf("identity model %s: rule %d (%s): %w", m.Version, i+1, r.Name, err)
		}
	}
	for field, weights := range f.Weights {
		for level, weight := range weights {
			parsedField, parsedLevel, err := parseLevel(field, level)
			if err != nil {
				return nil, fmt.Errorf("identity model %s: weights: %w", m.Version, err)
			}
			m.weights[parsedField][parsedLevel] = weight
		}
	}
	return m, nil
}

func (m *Model) addRule(f ruleFile, sets map[string][]string) error {
	r := rule{name: f.Name, contradiction: f.Contradiction, levels: fieldLevels}
	if f.Name == "" {
		return errors.New("name is missing")
	}
	for _, other := range m.rules {
		if other.name == f.Name {
			return errors.New("the name stands twice")
		}
	}
	for o := OutcomeApart; o <= OutcomeLink; o++ {
		if o.String() == f.Outcome {
			r.outcome = o
		}
	}
	if r.outcome == 0 {
		return fmt.Errorf("outcome is %q: write link, review or apart", f.Outcome)
	}
	if r.contradiction && r.outcome == OutcomeLink {
		return errors.New("a contradiction cannot link")
	}
	for field, names := range f.When {
		var s levelSet
		var parsedField Field
		for _, name := range expand(names, sets) {
			var level Level
			var err error
			if parsedField, level, err = parseLevel(field, name); err != nil {
				return err
			}
			s |= set(level)
		}
		if s == 0 {
			return fmt.Errorf("%s: no level is named, so the rule never holds", field)
		}
		r.levels[parsedField] = s
	}
	m.rules = append(m.rules, r)
	return nil
}

// expand puts the levels of a set in the place of its name.
func expand(names []string, sets map[string][]string) []string {
	var all []string
	for _, name := range names {
		if levels, ok := sets[name]; ok {
			all = append(all, levels...)
			continue
		}
		all = append(all, name)
	}
	return all
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

func parseLevel(field, level string) (Field, Level, error) {
	f, err := ParseField(field)
	if err != nil {
		return 0, 0, err
	}
	l, err := ParseLevel(level)
	if err != nil {
		return 0, 0, err
	}
	if !fieldLevels[f].has(l) {
		return 0, 0, fmt.Errorf("%s has no level %q", field, level)
	}
	return f, l, nil
}
