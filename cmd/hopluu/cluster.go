package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/topic"
)

// checkCluster says what of the Kafka cluster cannot keep events as the
// configuration asks (P1), and which topics are missing or differ from it.
func checkCluster(ctx context.Context, kafka *topic.Client, c config.Topics, specs []topic.Spec) (findings []postgres.Finding, topics []topicFinding, err error) {
	brokers, err := kafka.Brokers(ctx)
	if err != nil {
		return nil, nil, err
	}
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	found, err := kafka.Describe(ctx, names...)
	if err != nil {
		return nil, nil, err
	}
	if brokers < int(c.Replication) {
		finding := postgres.Finding{
			Level: postgres.Fault,
			What:  fmt.Sprintf("topics.replication is %d, but the cluster has %d broker(s) up: topics cannot be made", c.Replication, brokers),
			Mend:  "start the other brokers; on one machine for trying things out, set topics.replication: 1, topics.min_insync_replicas: 1 and single_machine: true",
		}
		if len(found) == len(specs) {
			// What is there already goes on with fewer.
			finding.Level = postgres.Warning
			finding.What = fmt.Sprintf("topics.replication is %d, but the cluster has %d broker(s) up", c.Replication, brokers)
			finding.Mend = "start the other brokers"
		}
		findings = append(findings, finding)
	}
	for _, s := range specs {
		d, ok := found[s.Name]
		topics = append(topics, compareTopic(s, d, ok)...)
	}
	return findings, topics, nil
}

// topicFinding is how a topic differs from the configuration.
type topicFinding struct {
	Topic string `json:"topic"`
	postgres.Finding
}

// compareTopic is a function of the two alone.
func compareTopic(want topic.Spec, have topic.Description, there bool) (findings []topicFinding) {
	add := func(level postgres.Level, mend, format string, args ...any) {
		findings = append(findings, topicFinding{want.Name, postgres.Finding{Level: level, What: fmt.Sprintf(format, args...), Mend: mend}})
	}
	alter := func(key, value string) string {
		return fmt.Sprintf("kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s", want.Name, key, value)
	}
	if !there {
		add(postgres.Warning, "hopluu topics create", "missing")
		return findings
	}
	if have.Partitions != want.Partitions {
		add(postgres.Fault, fmt.Sprintf("set topics.partitions to %d", have.Partitions), "has %d partitions, the configuration says %d", have.Partitions, want.Partitions)
	}
	if have.Replication < want.Replication {
		add(postgres.Fault, "kafka-reassign-partitions.sh with more replicas", "has %d copies of every event, topics.replication is %d", have.Replication, want.Replication)
	}
	if have.Config["unclean.leader.election.enable"] == "true" {
		add(postgres.Fault, alter("unclean.leader.election.enable", "false"), "may elect a leader that lacks events")
	}
	for _, setting := range []struct {
		key   string
		worse func(have, want int) bool
		level postgres.Level
	}{
		{"min.insync.replicas", func(have, want int) bool { return have < want }, postgres.Fault},
		{"max.message.bytes", func(have, want int) bool { return have < want }, postgres.Fault},
		{"cleanup.policy", nil, postgres.Fault},
		{"retention.ms", func(have, want int) bool { return have != want }, postgres.Warning},
	} {
		wanted, ok := want.Config[setting.key]
		if setting.key == "cleanup.policy" {
			wanted, ok = cmp.Or(wanted, "delete"), true
		}
		got := have.Config[setting.key]
		if !ok || got == wanted {
			continue
		}
		if setting.worse != nil {
			w, errW := strconv.Atoi(wanted)
			h, errH := strconv.Atoi(got)
			if errW == nil && errH == nil && !setting.worse(h, w) {
				continue
			}
		}
		add(setting.level, alter(setting.key, wanted), "%s is %s, the configuration says %s", setting.key, got, wanted)
	}
	return findings
}

// faults are the findings that stand in the way.
func faults(findings []postgres.Finding) (bad []postgres.Finding) {
	for _, f := range findings {
		if f.Level == postgres.Fault {
			bad = append(bad, f)
		}
	}
	return bad
}

// summary tells of topics' findings in one finding: there may be hundreds.
func summary(topics []topicFinding) []postgres.Finding {
	var bad, missing int
	var first topicFinding
	for _, f := range topics {
		switch {
		case f.Level == postgres.Fault:
			if bad++; bad == 1 {
				first = f
			}
		case f.What == "missing":
			missing++
		}
	}
	var findings []postgres.Finding
	if bad > 0 {
		findings = append(findings, postgres.Finding{
			Level: postgres.Fault, Mend: first.Mend + "; 'hopluu topics check' lists them all",
			What: fmt.Sprintf("%d topics differ from the configuration, for example %s %s", bad, first.Topic, first.What),
		})
	}
	if missing > 0 {
		findings = append(findings, postgres.Finding{
			Level: postgres.Note, What: fmt.Sprintf("%d topics are not there yet: the connector makes them when it starts", missing),
			Mend: "hopluu topics create, to make them before",
		})
	}
	return findings
}
