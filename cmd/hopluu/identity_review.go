package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

func (a *app) identityReviewCommand() *cobra.Command {
	var desk deskFlag
	var list, asJSON bool
	var rule string
	var limit int
	command := &cobra.Command{
		Use:   "review",
		Short: "Look at pairs that wait for a person, the weightiest first, and decide",
		Long: `Look at the pairs of records that the model leaves to people, those whose decision would
change most first, side by side with the waterfall of weights, and decide:

  y  the same person     n  different persons     s  not now     q  enough

A reason is asked for; an empty line gives the one before again. A decision holds for
good: through replays, new records and new models, until it is undone ('hopluu identity
decide A B undo'). Identifiers are shown to nobody, only whether they agree; names and
dates only to reviewers with 'personal: true'. Every look is written to identity.audit.

With identity.two_person a decision waits until somebody else says the same: such pairs
come up again for the others.

` + deskHelp,
		Example: `  hopluu identity review
  hopluu identity review --list --limit 20
  hopluu identity review --list --json --rule conflict | jq -r '.reviews[] | [.a, .b] | @tsv'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.desk(&desk)
			if err != nil {
				return err
			}
			if asJSON && !list {
				return errors.New("--json is for --list: give both")
			}
			if !list {
				return reviewAll(cmd.Context(), d, cmd.InOrStdin(), cmd.OutOrStdout(), rule)
			}
			found, err := d.list(cmd.Context(), rule, 0, limit)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), found)
			}
			return printReviews(cmd.OutOrStdout(), &found)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&list, "list", false, "list the pairs, and decide nothing")
	flags.BoolVar(&asJSON, "json", false, "print the list as JSON")
	flags.StringVar(&rule, "rule", "", "only pairs of this rule: weights, forbidden, shared-number, conflict or a contradiction's name")
	flags.IntVar(&limit, "limit", 50, "how many pairs --list gives, 1000 at most")
	desk.on(command)
	return command
}

func (a *app) identityDecideCommand() *cobra.Command {
	var desk deskFlag
	var reason string
	var asJSON bool
	command := &cobra.Command{
		Use:   "decide RECORD RECORD same|different|undo --reason WHY",
		Short: "Say that two records are one person or two, or take it back",
		Long: `Say that two records are one person or two, or take back what was said. Records are named
as identity.link and ClickHouse's v_ views name them: <source>.<table>:<key>.

With identity.two_person the first one who says it proposes it, and the second one, who
says the same, approves it.

` + deskHelp,
		Example: `  hopluu identity decide population.citizen:17 health.patient:311 same \
      --reason "same mother and address in the file"
  hopluu identity decide population.citizen:17 health.patient:311 undo --reason "wrong file"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return errors.New("identity decide needs two records and same, different or undo: see 'hopluu identity decide --help'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return errors.New("identity decide needs --reason: say in a few words why")
			}
			d, err := a.desk(&desk)
			if err != nil {
				return err
			}
			said, err := d.say(cmd.Context(), matcher.SayJSON{A: args[0], B: args[1], Verdict: args[2], Reason: reason})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), said)
			}
			return printSaid(cmd.OutOrStdout(), &said)
		},
	}
	command.Flags().StringVar(&reason, "reason", "", "why, in a few words, without numbers of people")
	command.Flags().BoolVar(&asJSON, "json", false, "print what became of it as JSON")
	desk.on(command)
	return command
}

func (a *app) identityDecisionsCommand() *cobra.Command {
	var desk deskFlag
	var asJSON bool
	command := &cobra.Command{
		Use:   "decisions",
		Short: "List what was said of pairs and is in force, or waits for a second person",
		Long: `List what was said of pairs and is in force, or waits for a second person, the latest
first.

` + deskHelp,
		Example: `  hopluu identity decisions
  hopluu identity decisions --json | jq -r '.[] | select(.conflict) | [.a, .b] | @tsv'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.desk(&desk)
			if err != nil {
				return err
			}
			var all []matcher.DecisionJSON
			if err := d.ask(cmd.Context(), http.MethodGet, "/identity/decisions", nil, nil, &all); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			for i := range all {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), all[i].A, all[i].B); err != nil {
					return err
				}
				if err := printDecision(cmd.OutOrStdout(), &all[i]); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d decisions\n", len(all))
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the decisions as JSON")
	desk.on(command)
	return command
}

func identityTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "token NAME",
		Short: "Make a reviewer's token, and the entry of identity.reviewers for it",
		Long: `Make a reviewer's token. The token goes to the reviewer, who keeps it as a password; the
entry, with its SHA-256 alone, goes into identity.reviewers of the matcher's configuration,
which is read at its start.`,
		Example: "  hopluu identity token an",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || strings.TrimSpace(args[0]) == "" {
				return errors.New("identity token needs the reviewer's name: see 'hopluu identity token --help'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var random [32]byte
			if _, err := rand.Read(random[:]); err != nil {
				return err
			}
			token := base64.RawURLEncoding.EncodeToString(random[:])
			sum := sha256.Sum256([]byte(token))
			_, err := fmt.Fprintf(cmd.OutOrStdout(), `# For %[1]s alone:
HOPLUU_IDENTITY_TOKEN=%[2]s

# For the matcher's configuration:
identity:
  reviewers:
    - {name: %[1]q, token_sha256: %[3]s, decides: true, personal: false}
`, args[0], token, hex.EncodeToString(sum[:]))
			return err
		},
	}
}

// explainLive explains two records of the running platform.
func (a *app) explainLive(cmd *cobra.Command, f *deskFlag, records []string, asJSON bool) error {
	d, err := a.desk(f)
	if err != nil {
		return err
	}
	p, err := d.pair(cmd.Context(), records[0], records[1])
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), p)
	}
	return printPair(cmd.OutOrStdout(), &p)
}

// reviewPage is how many pairs are asked for at once.
const reviewPage = 100

// reviewAll shows pair after pair until there is none, or enough is said.
func reviewAll(ctx context.Context, d *deskClient, in io.Reader, w io.Writer, rule string) error {
	lines := readLines(ctx, in)
	passed := map[[2]string]bool{}
	reason, decided := "", 0
	end := func() error {
		_, err := fmt.Fprintf(w, "%d decided\n", decided)
		return err
	}
	for {
		next, left, err := nextReview(ctx, d, rule, passed)
		if err != nil {
			return err
		}
		if next == nil {
			fmt.Fprintln(w, "nothing else waits for you")
			return end()
		}
		pair := [2]string{next.A, next.B}
		p, err := d.pair(ctx, next.A, next.B)
		if err != nil {
			return err
		}
		if err := printPair(w, &p); err != nil {
			return err
		}
		fmt.Fprintf(w, "%d left. One person? [y]es, [n]o, [s]kip, [q]uit: ", left)
		answer, err := lines(ctx)
		if err != nil {
			return errors.Join(end(), unless(err, io.EOF))
		}
		said := matcher.SayJSON{A: next.A, B: next.B, Version: new(uint64)}
		if p.Decision != nil {
			*said.Version = p.Decision.Version
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			said.Verdict = "same"
		case "n", "no":
			said.Verdict = "different"
		case "s", "skip":
			passed[pair] = true
			continue
		case "q", "quit":
			return end()
		default:
			fmt.Fprintln(w, "write y, n, s or q")
			continue
		}
		if p.Review != nil && p.Review.Rule == "conflict" && said.Verdict == "same" {
			fmt.Fprintln(w, "that is said already, and something forbids it: correct the record at its source, or say n")
			passed[pair] = true
			continue
		}
		if reason == "" {
			fmt.Fprint(w, "Why? ")
		} else {
			fmt.Fprintf(w, "Why? (Enter for %q) ", reason)
		}
		why, err := lines(ctx)
		if err != nil {
			return errors.Join(end(), unless(err, io.EOF))
		}
		if why = strings.TrimSpace(why); why != "" {
			reason = why
		}
		said.Reason = reason
		out, err := d.say(ctx, said)
		if err != nil {
			// The next look shows how things are.
			fmt.Fprintln(w, "not taken:", oneLine(err))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		decided++
		passed[pair] = true
		if err := printSaid(w, &out); err != nil {
			return err
		}
	}
}

func unless(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return err
}

// readLines reads lines so that the end of a context ends the waiting: a read of
// a terminal cannot be broken off.
func readLines(ctx context.Context, in io.Reader) func(context.Context) (string, error) {
	lines, ended := make(chan string), make(chan error, 1)
	go func() {
		scanner := bufio.NewScanner(in)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
		err := scanner.Err()
		if err == nil {
			err = io.EOF
		}
		ended <- err
	}()
	return func(ctx context.Context) (string, error) {
		select {
		case line := <-lines:
			return line, nil
		case err := <-ended:
			ended <- err
			return "", err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// nextReview finds the first pair that was not passed over and does not wait for
// somebody else's approval, and how many the queue holds.
func nextReview(ctx context.Context, d *deskClient, rule string, passed map[[2]string]bool) (*matcher.ReviewJSON, int, error) {
	for offset := 0; ; offset += reviewPage {
		page, err := d.list(ctx, rule, offset, reviewPage)
		if err != nil {
			return nil, 0, err
		}
		for i := range page.Reviews {
			r := &page.Reviews[i]
			mine := r.Proposed != nil && strings.EqualFold(r.Proposed.By, page.You)
			if !mine && !passed[[2]string{r.A, r.B}] {
				return r, page.Total, nil
			}
		}
		if offset+reviewPage >= page.Total {
			return nil, page.Total, nil
		}
	}
}

func printReviews(w io.Writer, l *matcher.ListJSON) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"rank", "record", "record", "rule", "bits", "records", "figures", "waits for"})
	for _, r := range l.Reviews {
		weight, waits := "", ""
		if r.Weight != nil {
			weight = fmt.Sprintf("%.1f", *r.Weight)
		}
		if r.Proposed != nil {
			waits = fmt.Sprintf("a second person: %s, says %s", r.Proposed.Verdict, r.Proposed.By)
		}
		t.AppendRow(table.Row{fmt.Sprintf("%.1f", r.Rank), r.A, r.B, r.Rule, weight, fmt.Sprintf("%d + %d", r.Records[0], r.Records[1]), strings.Join(r.Figures, ", "), waits})
	}
	var rules []string
	for rule, n := range l.Rules {
		rules = append(rules, fmt.Sprintf("%d %s", n, rule))
	}
	slices.Sort(rules)
	if len(rules) == 0 {
		_, err := fmt.Fprintln(w, "no pair waits for anybody")
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n%d of %d pairs; in all: %s\n", t.Render(), len(l.Reviews), l.Total, strings.Join(rules, ", "))
	return err
}

func printPair(w io.Writer, p *matcher.PairJSON) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault // names of records are typed as they stand
	t.AppendHeader(table.Row{"", p.A.Record, p.B.Record})
	row := func(name string, of func(*matcher.RecordJSON) string) {
		t.AppendRow(table.Row{name, of(&p.A), of(&p.B)})
	}
	row("sector", func(r *matcher.RecordJSON) string {
		if !r.Known {
			return "(not there)"
		}
		return r.Sector + ", " + r.Table
	})
	row("person", func(r *matcher.RecordJSON) string { return r.Person })
	var names []string
	for _, r := range []*matcher.RecordJSON{&p.A, &p.B} {
		for _, c := range r.Columns {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	for _, name := range names {
		row(name, func(r *matcher.RecordJSON) string {
			for _, c := range r.Columns {
				switch {
				case c.Name != name:
				case c.Identifier:
					return "(has one)"
				case c.Text == "":
					return "(not shown)"
				default:
					return c.Text
				}
			}
			return ""
		})
	}
	fmt.Fprintln(w, t.Render())
	if p.Explanation != nil {
		if err := printExplanation(w, p.Thresholds, *p.Explanation); err != nil {
			return err
		}
	}
	if r := p.Review; r != nil {
		line := fmt.Sprintf("asked because of %s", r.Rule)
		if r.Weight != nil {
			line += fmt.Sprintf(", %.1f bits with all candidates considered", *r.Weight)
		}
		line += fmt.Sprintf("; one person would have %d + %d records", r.Records[0], r.Records[1])
		if len(r.Figures) > 0 {
			line += ", and may change " + strings.Join(r.Figures, ", ")
		}
		fmt.Fprintln(w, line)
	}
	if d := p.Decision; d != nil {
		return printDecision(w, d)
	}
	return nil
}

func printSaid(w io.Writer, s *matcher.SaidJSON) error {
	switch s.Outcome {
	case "proposed":
		fmt.Fprintln(w, "proposed: it is in force when a second person says the same")
	default:
		fmt.Fprintln(w, s.Outcome)
	}
	if s.Persons[0] != "" && s.Persons[1] != "" {
		if s.Persons[0] == s.Persons[1] {
			fmt.Fprintln(w, "one person now:", s.Persons[0])
		} else {
			fmt.Fprintln(w, "two persons now:", s.Persons[0], "and", s.Persons[1])
		}
	}
	if s.Decision.Conflict {
		fmt.Fprintln(w, "conflict: something forbids it (two records of the register, a death before a birth, or what was said of others); it waits in the queue, undo it or correct the source")
	}
	return nil
}

func printDecision(w io.Writer, d *matcher.DecisionJSON) error {
	if d.Verdict != "unsaid" {
		line := fmt.Sprintf("said: %s, by %s", d.Verdict, d.By)
		if d.At != nil {
			line += " on " + d.At.Format("2006-01-02")
		}
		if d.ApprovedBy != "" {
			line += ", approved by " + d.ApprovedBy
		}
		fmt.Fprintf(w, "%s: %s\n", line, d.Reason)
		if d.Conflict {
			fmt.Fprintln(w, "something forbids it: undo it, or correct the record at its source")
		}
	}
	if p := d.Proposed; p != nil {
		fmt.Fprintf(w, "proposed: %s, by %s: %s\n", p.Verdict, p.By, p.Reason)
	}
	return nil
}
