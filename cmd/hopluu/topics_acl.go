package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/schemas/accepted"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/spf13/cobra"
)

// principals are who runs what, as Kafka names them.
// The custodian is nobody unless it is named.
type principals struct{ connector, matcher, sink, analyst, operator, custodian string }

func (a *app) topicsACL() *cobra.Command {
	var p principals
	var run, asJSON bool
	command := &cobra.Command{
		Use:   "acl",
		Short: "Print the least rights in Kafka that each stage needs, or give them",
		Long: `Print, as a script for kafka-acls.sh, the least rights that the stages need, each
under a user of its own: the connectors write their topics and no other, the matcher
alone reads the vault, the sink reads what it lands, analysts read the public topics,
operators what their commands need. No stage may make topics but its dead letters:
'hopluu topics create' makes them, under a user who may.

Backups, and what restores them, read and write every topic, the vault too: they are
the administrator's, or of a user that --custodian names.

With --run the rights are given over the protocol, by the user of kafka.sasl. Nothing
is taken away: what the users had before they keep.`,
		Example: `  hopluu topics acl > acl.sh      # read it; then: sh acl.sh broker:9092 --command-config admin
  hopluu topics acl --run --matcher User:hopluu-matcher`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			acls, err := leastRights(c, p)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return printJSON(cmd.OutOrStdout(), acls)
			case !run:
				return printACLs(cmd.OutOrStdout(), acls)
			}
			return a.withTopics(cmd.Context(), func(kafka *topic.Client, c config.Config, _ []topic.Spec) error {
				return a.audited(cmd, args, c, []string{p.connector, p.matcher, p.sink, p.analyst, p.operator, p.custodian}, func(func(...string)) error {
					if err := kafka.Allow(cmd.Context(), acls...); err != nil {
						return err
					}
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d resources are allowed\n", len(acls))
					return err
				})
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&p.connector, "connector", "User:hopluu-connector", "who runs connectors")
	flags.StringVar(&p.matcher, "matcher", "User:hopluu-matcher", "who runs the matcher; reads the vault")
	flags.StringVar(&p.sink, "sink", "User:hopluu-sink", "who runs the sinks")
	flags.StringVar(&p.analyst, "analyst", "User:hopluu-analyst", "who reads the public topics")
	flags.StringVar(&p.operator, "operator", "User:hopluu-operator", "who gives the commands")
	flags.StringVar(&p.custodian, "custodian", "", "who backs up, restores and recovers, and so reads the vault, too (default nobody: the administrator does)")
	flags.BoolVar(&run, "run", false, "give the rights instead of printing the script")
	flags.BoolVar(&asJSON, "json", false, "print the rights as JSON")
	return command
}

// leastRights are what each principal needs for what it does, and no more. The
// vault is read by the matcher alone (P11), and by who backs it up, when that is
// asked for.
func leastRights(c config.Config, p principals) ([]topic.ACL, error) {
	sources, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	var all []topic.ACL
	allow := func(who, resource, name string, operations ...string) {
		all = append(all, topic.ACL{Principal: who, Resource: resource, Name: name, Operations: operations})
	}
	under := func(who, resource, prefix string, operations ...string) {
		all = append(all, topic.ACL{Principal: who, Resource: resource, Name: prefix, Prefixed: true, Operations: operations})
	}
	write, read := []string{"Write", "Describe", "DescribeConfigs"}, []string{"Read", "Describe"}
	for _, spec := range sourceTopics(c, sources) {
		operations := write
		if strings.HasPrefix(spec.Name, topic.State("")) {
			operations = append(slices.Clone(write), "Read")
		}
		allow(p.connector, topic.ACLTopic, spec.Name, operations...)
	}
	for _, s := range sources {
		id := connectors.TransactionalID(s.Name)
		if s.files() {
			id = file.TransactionalID(s.Name)
		}
		allow(p.connector, topic.ACLTransactionalID, id, "Write", "Describe")
		allow(p.matcher, topic.ACLTransactionalID, id, "Write", "Describe") // an erasure ends the connector's session
		for _, t := range s.Described.Tables {
			name := topic.Public(s.Name, t.Schema, t.Name)
			allow(p.sink, topic.ACLTopic, name, read...)
			allow(p.analyst, topic.ACLTopic, name, read...)
			// reconcile and replay read them; what a replay cannot apply is a dead
			// letter as the sink's is.
			allow(p.operator, topic.ACLTopic, name, read...)
			allow(p.operator, topic.ACLTopic, topic.DeadLetter(name), "Write", "Describe", "Create")
			allow(p.sink, topic.ACLTopic, topic.DeadLetter(name), "Write", "Describe", "Create")
			vault := topic.Vault(s.Name, t.Schema, t.Name)
			for _, letters := range []string{topic.DeadLetter(name), topic.DeadLetter(vault)} { // an erasure empties them
				allow(p.matcher, topic.ACLTopic, letters, append(slices.Clone(write), "Read", "Delete")...)
			}
			if t.Vault() {
				// It writes tombstones of who is erased, and makes the topic of its letters.
				allow(p.matcher, topic.ACLTopic, vault, "Read", "Write", "Describe", "DescribeConfigs")
				allow(p.matcher, topic.ACLTopic, topic.DeadLetter(vault), "Create")
			}
		}
	}
	under(p.matcher, topic.ACLTopic, "identity.", "Read", "Write", "Describe", "DescribeConfigs")
	allow(p.matcher, topic.ACLTopic, accepted.Topic, read...)
	// Several share the work as one group, each share with a producer of its own.
	under(p.matcher, topic.ACLTransactionalID, matcherGroup, "Write", "Describe")
	allow(p.matcher, topic.ACLGroup, matcherGroup, read...)
	under(p.matcher, topic.ACLTransactionalID, "hopluu-eraser", "Write", "Describe")
	allow(p.matcher, topic.ACLGroup, c.Sink.Group, "Describe")
	for _, name := range []string{topic.IdentityLink, topic.IdentityReview, topic.IdentityEvent, topic.IdentityAudit} {
		allow(p.sink, topic.ACLTopic, name, read...)
		allow(p.operator, topic.ACLTopic, name, read...)
		allow(p.sink, topic.ACLTopic, topic.DeadLetter(name), "Write", "Describe", "Create")
	}
	allow(p.analyst, topic.ACLTopic, topic.IdentityLink, read...)
	under(p.analyst, topic.ACLGroup, "analyst-", read...)
	allow(p.sink, topic.ACLGroup, c.Sink.Group, read...)
	for _, who := range []string{p.sink, p.operator} {
		under(who, topic.ACLTransactionalID, c.Sink.Group+".dlq.", "Write", "Describe")
	}
	allow(p.sink, topic.ACLTransactionalID, c.Sink.Group+".erasure", "Write", "Describe")
	allow(p.sink, topic.ACLTopic, topic.IdentityErasure, "Write")
	// What is paused, who is erased, what was done: of every stage.
	for _, who := range []string{p.connector, p.matcher, p.sink} {
		allow(who, topic.ACLTopic, pause.Topic, read...)
		allow(who, topic.ACLTopic, topic.IdentityErasure, append(slices.Clone(read), "DescribeConfigs")...)
		allow(who, topic.ACLTopic, topic.Audit, append(slices.Clone(write), "Read")...)
		under(who, topic.ACLTransactionalID, "hopluu-audit-", "Write", "Describe")
	}
	under(p.operator, topic.ACLTopic, "hopluu.", "Read", "Write", "Create", "Describe", "DescribeConfigs")
	under(p.operator, topic.ACLTransactionalID, "hopluu-", "Write", "Describe")
	allow(p.operator, topic.ACLTopic, "*", "Describe", "DescribeConfigs")
	allow(p.operator, topic.ACLTopic, topic.IdentityErasure, "Read", "Write", "Describe", "DescribeConfigs")
	allow(p.operator, topic.ACLGroup, c.Sink.Group, read...)
	allow(p.operator, topic.ACLGroup, "*", "Describe") // how far others are
	if p.custodian != "" {
		allow(p.custodian, topic.ACLTopic, "*", "Read", "Write", "Create", "Describe", "DescribeConfigs")
		allow(p.custodian, topic.ACLGroup, "*", read...)
		under(p.custodian, topic.ACLTransactionalID, "hopluu-", "Write", "Describe")
	}
	slices.SortStableFunc(all, func(a, b topic.ACL) int {
		return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

func printACLs(w io.Writer, acls []topic.ACL) error {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# The least rights that hopluu needs: sh acl.sh BROKER:PORT [--command-config FILE]\nset -eu\nbroker=$1; shift\n")
	for i, a := range acls {
		if i == 0 || acls[i-1].Principal != a.Principal {
			fmt.Fprintf(&b, "\n# %s\n", a.Principal)
		}
		fmt.Fprintf(&b, "kafka-acls.sh --bootstrap-server \"$broker\" \"$@\" --add --allow-principal '%s'", a.Principal)
		for _, operation := range a.Operations {
			fmt.Fprintf(&b, " --operation %s", operation)
		}
		fmt.Fprintf(&b, " --%s '%s'", a.Resource, a.Name)
		if a.Prefixed {
			b.WriteString(" --resource-pattern-type prefixed")
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
