package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// repairLimit is how many keys of a table a person repairs without saying more.
const repairLimit = 1000

func (a *app) reconcileRepair() *cobra.Command {
	var asJSON, yes bool
	var limit int
	var tables []string
	var catchUp time.Duration
	command := &cobra.Command{
		Use:   "repair [SOURCE...] [--table [SOURCE.]SCHEMA.TABLE] [--yes]",
		Short: "Have the rows that differ read anew from their source",
		Long: `Compare, and say of each key that differs what would be done about it; with --yes do
it, wait until it has landed, and compare these keys again.

A key that differs is read anew by the source's connector: its row comes through the
topic as a read event, or as a delete when the source has none, with the LSN of the
snapshot that says so. It takes the place of what is wrong, and gives way to every
later change. A row of silver that claims to be later than the source's log is long
was written by hand: it is removed first. A key that waits behind an open dead letter
is shown and left, for that is no fault of silver's ('hopluu dlq list'); so are the
rows of erased people. Doing it again, or being stopped in the middle, harms nothing.

A table whose key is a token, or of another type than integer, text, varchar, uuid
and date, is read as a whole: see 'hopluu connector resnapshot'. What bronze lost or
has twice is shown, and not mended: silver does not come of it, and bronze is never
written twice.

Exits with 0 when there is nothing left to repair, with 1 when there is. It needs
what reconcile needs, and the connector and the sink running.`,
		Example: `  hopluu reconcile repair                       # what would be done
  hopluu reconcile repair health --table health.public.patient --yes
  hopluu reconcile repair --json | jq '.[].keys | length'`,
		ValidArgsFunction: a.completeSources(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.load()
			if err != nil {
				return err
			}
			if limit < 1 {
				return errors.New("--limit must be at least 1: how many keys of a table may be repaired")
			}
			r := repairing{cmd: cmd, tables: tables, limit: limit, asJSON: asJSON}
			r.settings.CatchUp = catchUp
			if term.IsTerminal(int(os.Stderr.Fd())) && !asJSON {
				r.settings.Progress = func(source, table string) {
					fmt.Fprintf(os.Stderr, "\r\x1b[Kcomparing %s %s", source, table)
				}
				defer fmt.Fprint(os.Stderr, "\r\x1b[K")
			}
			sources, done, err := reconciled(cmd.Context(), c, args, &r.settings, brief)
			if err != nil {
				return err
			}
			r.sources = sources
			err = r.plan(cmd.Context())
			if err == nil && !yes {
				err = r.show()
			} else if err == nil {
				err = a.audited(cmd, args, c, r.touched(), func(func(...string)) error { return r.do(cmd.Context()) })
			}
			return errors.Join(err, done())
		},
	}
	flags := command.Flags()
	flags.BoolVar(&yes, "yes", false, "do it; without it only say what would be done")
	flags.BoolVar(&asJSON, "json", false, "print the plan as JSON")
	flags.IntVar(&limit, "limit", repairLimit, "refuse a table of which more keys differ: find out why first")
	flags.StringSliceVar(&tables, "table", nil, "only this table, as source.schema.table, or schema.table of every source that has it; may be given several times")
	flags.DurationVar(&catchUp, "catch-up", reconcile.DefaultCatchUp, "how long connector and sink may take")
	return command
}

// repairing is one call of reconcile repair.
type repairing struct {
	cmd      *cobra.Command
	tables   []string
	limit    int
	asJSON   bool
	settings reconcile.Config
	sources  []reconcile.Source
	plans    []reconcile.Plan
}

// ofSource is schema.table of a source's table that is named so, or with the
// source before it; "" when the source has none.
func ofSource(s reconcile.Source, name string) string {
	parts := strings.Split(name, ".")
	if len(parts) == 3 && parts[0] == s.Name {
		parts = parts[1:]
	}
	if len(parts) != 2 {
		return ""
	}
	t, ok := s.Sector.Table(parts[1])
	if !ok || t.Schema != parts[0] {
		return ""
	}
	return parts[0] + "." + parts[1]
}

func (r *repairing) plan(ctx context.Context) error {
	for _, name := range r.tables {
		if !slices.ContainsFunc(r.sources, func(s reconcile.Source) bool { return ofSource(s, name) != "" }) {
			return fmt.Errorf("--table %s: none of the sources has it: write it as source.schema.table, such as health.public.patient", name)
		}
	}
	for _, s := range r.sources {
		var tables []string
		for _, name := range r.tables {
			if of := ofSource(s, name); of != "" {
				tables = append(tables, of)
			}
		}
		if len(r.tables) > 0 && len(tables) == 0 {
			continue
		}
		plans, err := reconcile.PlanRepair(ctx, r.settings, s, r.limit, tables...)
		if err != nil {
			return err
		}
		r.plans = append(r.plans, plans...)
	}
	return nil
}

func (r *repairing) touched() []string {
	touched := []string{}
	for _, p := range r.plans {
		touched = append(touched, planText(&p))
	}
	return touched
}

// planText names what a repair touches, for the record of actions: numbers of
// keys, and no keys.
func planText(p *reconcile.Plan) string {
	return fmt.Sprintf("source %s, table %s: %d keys", p.Source, p.Table, len(p.Keys)-p.Waiting())
}

// show prints what would be done.
func (r *repairing) show() error {
	if r.asJSON {
		if r.plans == nil {
			r.plans = []reconcile.Plan{}
		}
		if err := printJSON(r.cmd.OutOrStdout(), r.plans); err != nil {
			return err
		}
	} else if err := printPlans(r.cmd.OutOrStdout(), r.plans); err != nil {
		return err
	}
	if !slices.ContainsFunc(r.plans, func(p reconcile.Plan) bool { return len(p.Keys) > p.Waiting() || p.Whole != "" || p.Bronze != nil }) {
		return nil
	}
	if !r.asJSON {
		if _, err := fmt.Fprintln(r.cmd.OutOrStdout(), "nothing is changed yet: run it again with --yes"); err != nil {
			return err
		}
	}
	return errFound
}

func printPlans(w io.Writer, plans []reconcile.Plan) error {
	if len(plans) == 0 {
		_, err := fmt.Fprintln(w, "nothing differs: there is nothing to repair")
		return err
	}
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"source", "table", "key", "difference", "what is done"})
	rows := 0
	for _, p := range plans {
		for _, m := range p.Keys {
			action := m.Action
			if p.Whole != "" {
				action = "nothing: see below"
			}
			t.AppendRow(table.Row{p.Source, p.Table, m.Key, m.Difference, action})
			rows++
		}
	}
	if rows > 0 {
		t.Render()
	}
	for _, p := range plans {
		if n := p.Waiting(); n > 0 {
			fmt.Fprintf(w, "source %s, table %s: %d keys wait behind dead letters and are left: 'hopluu dlq list' names them, 'hopluu dlq retry' applies them once the reason is mended\n", p.Source, p.Table, n)
		}
		if p.Whole != "" {
			fmt.Fprintf(w, "source %s: %s ('hopluu connector resnapshot %s %s')\n", p.Source, p.Whole, p.Source, p.Table)
		}
		if b := p.Bronze; b != nil {
			fmt.Fprintf(w, "source %s, table %s: of the topic's events bronze lost %d, has %d more than once and has %d that are none; that is not mended here (docs/reconcile.md)\n", p.Source, p.Table, b.LostCount, b.DoubledCount, b.UnknownCount)
		}
	}
	return nil
}

// do repairs, waits, and says what is left.
func (r *repairing) do(ctx context.Context) error {
	left := 0
	var failed []error
	for i := range r.plans {
		p := &r.plans[i]
		if p.Bronze != nil {
			left++
		}
		if p.Empty() {
			continue
		}
		if err := p.Apply(ctx, r.settings); err != nil {
			failed = append(failed, err) // the others are repaired all the same
			continue
		}
		at := slices.IndexFunc(r.sources, func(s reconcile.Source) bool { return s.Name == p.Source })
		differ, err := p.Landed(ctx, r.settings, r.sources[at])
		if err != nil {
			failed = append(failed, fmt.Errorf("source %s, table %s: asked for, but not seen to land: %w", p.Source, p.Table, err))
			continue
		}
		left += len(differ)
		if len(differ) > 0 {
			fmt.Fprintf(r.cmd.ErrOrStderr(), "source %s, table %s: %d keys still differ: %s\n", p.Source, p.Table, len(differ), strings.Join(differ[:min(20, len(differ))], " "))
		}
	}
	if r.asJSON {
		if r.plans == nil {
			r.plans = []reconcile.Plan{}
		}
		failed = append(failed, printJSON(r.cmd.OutOrStdout(), r.plans))
	} else {
		failed = append(failed, printPlans(r.cmd.OutOrStdout(), r.plans))
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if left > 0 {
		return errFound
	}
	if !r.asJSON && len(r.plans) > 0 {
		said := "repaired: these keys agree"
		if !slices.ContainsFunc(r.plans, func(p reconcile.Plan) bool { return len(p.Keys) > p.Waiting() }) {
			said = "nothing is left to repair"
		}
		_, err := fmt.Fprintln(r.cmd.OutOrStdout(), said)
		return err
	}
	return nil
}

// recordRepair records what the comparison in the background has had read anew
// by itself.
func (a *app) recordRepair(ctx context.Context, c config.Config, p *reconcile.Plan, began time.Time, err error) {
	_, account := a.operator()
	e := audit.Entry{
		ID: audit.NewID(), At: began.UTC().Truncate(time.Millisecond), Ended: time.Now().UTC().Truncate(time.Millisecond),
		Who: "reconcile.repair: auto", User: account, Command: "reconcile repair", Args: []string{}, Touched: []string{planText(p)},
	}
	e.Outcome, e.Error = outcome(ctx, err)
	e.Error = audit.Text(e.Error)
	(&recorder{c: c, stderr: os.Stderr}).record(ctx, e)
}
