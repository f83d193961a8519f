package identity

// none marks a record for which no edge speaks.
const none = -1

// solveComponent decides the collected component and hands over what changed.
func (s *State) solveComponent(emit func(*Change) error) error {
	s.records = s.records[:0]
	for _, i := range s.component {
		s.records = append(s.records, &s.nodes.at(i).record)
	}
	first := s.solver.solve(s.records, s.crowded)
	s.pickReasons(first)
	for place, i := range s.component {
		if err := s.publish(place, s.nodes.at(i), first, emit); err != nil {
			return err
		}
	}
	return nil
}

// pickReasons finds the edge that speaks for each record: of one with company,
// the strongest link within its cluster; of one alone, the strongest that is
// no more than a review, or that the cluster forbade.
func (s *State) pickReasons(first []int32) {
	s.best = s.best[:0]
	for range s.records {
		s.best = append(s.best, none)
	}
	better := func(place int32, e int32) {
		if old := s.best[place]; old == none || s.speaks(e, first) > s.speaks(old, first) {
			s.best[place] = e
		}
	}
	// Edges are sorted: of those that speak alike, the first is the strongest.
	for i := range s.solver.edges {
		better(s.solver.edges[i].A, int32(i))
		better(s.solver.edges[i].B, int32(i))
	}
}

// How an edge speaks for a record, from the least.
const (
	speaksApart = iota + 1
	speaksContradiction
	speaksReview // also a link that the cluster forbade
	speaksLink   // within the cluster
)

func (s *State) speaks(e int32, first []int32) int {
	edge := &s.solver.edges[e]
	switch {
	case edge.Decision.Outcome == OutcomeLink && first[edge.A] == first[edge.B]:
		return speaksLink
	case edge.Decision.Outcome == OutcomeApart:
		return speaksApart
	case s.model.contradicts(edge.Decision):
		return speaksContradiction
	}
	return speaksReview
}

// decisions are what a record's link says, by how its edge speaks.
var decisions = [...]uint8{speaksApart: decisionApart, speaksContradiction: decisionReview, speaksReview: decisionReview, speaksLink: decisionLink}

// publish makes the link of one record and hands it over when it changed.
func (s *State) publish(place int, n *node, first []int32, emit func(*Change) error) error {
	citizen, leader := s.leader(place, first)
	c := Change{Record: n.record.ID}
	l := &c.Link
	l.Record, l.Source, l.Sector, l.Table = n.record.ID, n.record.Origin.Source, n.record.Origin.Sector, n.record.Origin.Table
	l.Person = s.personOf(leader)
	l.Citizen = citizen
	l.Model = s.model.Version
	o := outcome{rule: noRule, linked: citizen != ""}
	switch e := s.best[place]; {
	case n.record.Origin.Register:
		// A citizen's own link does not move with every record that joins it.
		o.decision, o.rule = decisionLink, ruleRegister
		l.Rule = RuleRegister
	case e != none:
		edge := &s.solver.edges[e]
		o.decision, o.rule = decisions[s.speaks(e, first)], edge.Decision.rule
		l.Rule = s.model.Rule(edge.Decision)
		with := edge.A
		if int(with) == place {
			with = edge.B
		}
		s.reasons = s.model.appendReasons(s.reasons[:0], edge.Decision, s.records[with].ID)
		l.Reasons = string(s.reasons)
	}
	l.Decision = decisionNames[o.decision]

	if n.solved {
		s.stats.uncount(n.record.Origin, n.outcome)
	}
	s.stats.count(n.record.Origin, o)
	n.solved, n.outcome, n.person = true, o, l.Person

	digest, buf := l.Digest(s.buf)
	s.buf = buf
	if digest == n.published {
		return nil
	}
	n.published = digest
	return emit(&c)
}

// leader finds the first record of a place's cluster, where records of the
// register come before all others, and the citizen, which is the leader when
// it is of the register.
func (s *State) leader(place int, first []int32) (citizen, leader string) {
	group := first[place]
	for i := int(group); i < len(first); i++ {
		if first[i] == group && s.records[i].Origin.Register {
			return s.records[i].ID, s.records[i].ID
		}
	}
	return "", s.records[group].ID
}

// personOf is PersonOf, remembered for the leader of the records at hand.
func (s *State) personOf(leader string) PersonID {
	if s.lastLeader != leader {
		s.lastLeader, s.lastPerson = leader, PersonOf(leader)
	}
	return s.lastPerson
}
