package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// recordBound is how long one entry of the record of actions may take. An
// operator in an emergency is not kept waiting for longer.
const recordBound = 15 * time.Second

// audited does an operator's action and records it: that it begins, and how it
// ended. touched names what the action changes; do may add what it learns on the
// way. Every command that changes something calls it, around the change and
// after its arguments were found good.
//
// The record goes to the topic hopluu.audit, to ops.audit itself when Kafka is
// away, and to standard error when ClickHouse is, too: nothing is done
// unrecorded, and nothing that must be done now is stopped.
func (a *app) audited(cmd *cobra.Command, args []string, c config.Config, touched []string, do func(touch func(...string)) error) error {
	text := audit.Text
	if cmd.HasParent() && underIdentity(cmd) {
		text = audit.Numberless
	}
	given := []string{}
	for _, arg := range args {
		given = append(given, text(arg))
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "by" && f.Name != "config" && f.Name != "json" {
			given = append(given, text(audit.Flag(f.Name, f.Value.String())))
		}
	})
	who, account := a.operator()
	r := recorder{c: c, stderr: cmd.ErrOrStderr()}
	e := audit.Entry{
		ID: audit.NewID(), At: time.Now().UTC().Truncate(time.Millisecond), Who: who, User: account,
		Command: commandName(cmd), Args: given, Touched: touched, Outcome: audit.Begun,
	}
	r.record(cmd.Context(), e)
	err := lineageOfAction(c, logger(c.Log), e.Command, func() []string { return e.Touched }, func() error {
		return do(func(more ...string) { e.Touched = append(e.Touched, more...) })
	})
	e.Ended = time.Now().UTC().Truncate(time.Millisecond)
	e.Outcome, e.Error = outcome(cmd.Context(), err)
	e.Error = text(e.Error)
	r.record(cmd.Context(), e)
	return err
}

// recordReload records that a running stage was told to read its configuration
// again. Who sent the signal the system does not tell.
func (a *app) recordReload(ctx context.Context, c config.Config, stage string, refused error) {
	_, account := a.operator()
	now := time.Now().UTC().Truncate(time.Millisecond)
	e := audit.Entry{
		ID: audit.NewID(), At: now, Ended: now, Who: "SIGHUP", User: account, Command: "reload",
		Args: []string{stage}, Touched: []string{fmt.Sprintf("%s, process %d", stage, os.Getpid())},
	}
	e.Outcome, e.Error = outcome(ctx, refused)
	e.Error = audit.Text(e.Error)
	(&recorder{c: c, stderr: os.Stderr}).record(ctx, e)
}

// outcome says how an action ended, and why.
func outcome(ctx context.Context, err error) (string, string) {
	switch {
	case err == nil:
		return audit.Done, ""
	case errors.Is(err, errFound):
		if err.Error() == errFound.Error() {
			return audit.Found, ""
		}
		return audit.Found, oneLine(err)
	case ctx.Err() != nil:
		return audit.Interrupted, oneLine(err)
	}
	return audit.Failed, oneLine(err)
}

// operator gives who acts: the person, and the account at its machine.
func (a *app) operator() (who, account string) {
	name := cmp.Or(os.Getenv("USER"), fmt.Sprint(os.Getuid()))
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	// The one who became root is who acts.
	who = cmp.Or(a.by, os.Getenv("SUDO_USER"), name)
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return who, name + "@" + host
}

// commandName is the command without the program's name.
func commandName(cmd *cobra.Command) string {
	name := cmd.Name()
	for p := cmd.Parent(); p != nil && p.HasParent(); p = p.Parent() {
		name = p.Name() + " " + name
	}
	return name
}

// underIdentity tells that the command is about people: a trace asks for rows by
// their values.
func underIdentity(cmd *cobra.Command) bool {
	for p := cmd; p != nil; p = p.Parent() {
		if p.Name() == "identity" || p.Name() == "trace" {
			return true
		}
	}
	return false
}

// recorder writes the entries of one action. What was away for the first is not
// waited for again.
type recorder struct {
	c                config.Config
	stderr           io.Writer
	noKafka, noHouse error
}

func (r *recorder) record(ctx context.Context, e audit.Entry) {
	// An action that was interrupted is recorded all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordBound)
	defer cancel()
	if r.noKafka == nil {
		if r.noKafka = r.toKafka(ctx, e); r.noKafka == nil {
			return
		}
	}
	if r.noHouse == nil {
		if r.noHouse = r.toClickHouse(ctx, e); r.noHouse == nil {
			return
		}
	}
	line, err := json.Marshal(e)
	if err != nil {
		line = []byte(err.Error())
	}
	// Nothing is left to tell that standard error is closed.
	_, _ = fmt.Fprintf(r.stderr, "hopluu: the record of actions cannot be written (%s; %s); keep this line: %s\n", oneLine(r.noKafka), oneLine(r.noHouse), line)
}

func (r *recorder) toKafka(ctx context.Context, e audit.Entry) (err error) {
	kafka, err := dialKafka(ctx, r.c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	if _, err := kafka.Ensure(ctx, topicSettings(r.c).AuditSpec()); err != nil {
		return err
	}
	return audit.Write(ctx, kafka, e)
}

func (r *recorder) toClickHouse(ctx context.Context, e audit.Entry) error {
	options, err := clickhouseOptions(r.c)
	if err != nil {
		return err
	}
	return clickhouse.AppendAudit(ctx, options, e)
}
