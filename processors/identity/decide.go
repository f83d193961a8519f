package identity

// Decision is what a model says of a pair, and why.
type Decision struct {
	Outcome Outcome
	// Weight is the sum of the weights of the levels; 0 in a model without
	// weights.
	Weight float64
	// Why is the evidence that was decided on.
	Why Comparison

	rule uint8 // index into the model's rules; noRule when none holds
}

// Decide applies the first rule that holds. Where none does, the two are apart.
func (m *Model) Decide(c Comparison) Decision {
	d := Decision{Outcome: OutcomeApart, Why: c, rule: noRule}
	for f, level := range c {
		d.Weight += m.weights[f][level]
	}
	for i := range m.rules {
		if m.rules[i].holds(&c) {
			d.rule, d.Outcome = uint8(i), m.rules[i].outcome
			break
		}
	}
	return d
}

func (r *rule) holds(c *Comparison) bool {
	for f, level := range c {
		if !r.levels[f].has(level) {
			return false
		}
	}
	return true
}

// Rule names the rule that decided, "" when none held.
func (m *Model) Rule(d Decision) string { return m.ruleName(d.rule) }

func (m *Model) ruleName(i uint8) string {
	if int(i) >= len(m.rules) {
		return ""
	}
	return m.rules[i].name
}

func (m *Model) contradicts(d Decision) bool {
	return d.rule != noRule && m.rules[d.rule].contradiction
}

// Evidence tells a comparison field by field, with the model's weights; fields
// that are missing on one side, and so say nothing, are left out.
func (m *Model) Evidence(c Comparison) []Evidence {
	evidence := make([]Evidence, 0, fields)
	for f, level := range c {
		if level == Missing {
			continue
		}
		evidence = append(evidence, Evidence{Field: Field(f), Level: level, Weight: m.weights[f][level]})
	}
	return evidence
}
