package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/backup"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// saving is what backup, restore and recover share.
type saving struct {
	to                string
	asJSON            bool
	clear             bool
	withoutClickHouse bool
}

func (a *app) backupCommand() *cobra.Command {
	var s saving
	var base string
	command := group(&cobra.Command{
		Use:   "backup",
		Short: "Save ClickHouse, the schemas, the vault, decisions and checkpoints",
		Long: `Save what hopluu keeps into a new folder below --to (or backup.to), while everything
runs: ClickHouse's bronze, silver and ops by its own BACKUP, the schemas with their
ids, and the topics that nothing else can make again: the vault, what people decided,
the ledger of erased people, the record of actions, the checkpoints of connectors.
The parts fit together: 'hopluu restore' goes on from one point.

With --incremental ClickHouse's part holds what changed since another backup, which
must stay where it is. The files are encrypted with backup.key_file; without a key
nothing of the vault is written unless --in-the-clear allows it. ClickHouse's part
holds tokens instead of numbers, but names and addresses: keep the folder from others.

It needs kafka.brokers, registry.url and clickhouse.dsn.`,
		Example: `  hopluu backup --to /srv/hopluu/backups
  hopluu backup --incremental /srv/hopluu/backups/20260131T020000Z
  hopluu backup list
  hopluu backup verify /srv/hopluu/backups/20260131T020000Z`,
	}, a.backupList(), a.backupVerify())
	command.DisableFlagsInUseLine = false // it works by itself, too
	command.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("hopluu backup has no command %q: it takes a backup, or one of list and verify", args[0])
		}
		return nil
	}
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withSaving(cmd, s, func(c config.Config, b backup.Config) error {
			to := cmp.Or(s.to, c.Backup.To)
			if to == "" {
				return errors.New("no folder is given: name one with --to or backup.to")
			}
			if c.ClickHouse.Cluster != "" && !s.withoutClickHouse {
				return errors.New("clickhouse.cluster is set: save its shards with BACKUP … ON CLUSTER, and the rest with --without-clickhouse (docs/backup.md)")
			}
			return a.audited(cmd, args, c, []string{"folder " + to}, func(touch func(...string)) error {
				m, dir, err := backup.Run(cmd.Context(), b, to, base)
				b.Progress("", 0, 0)
				if err != nil {
					return err
				}
				touch("backup " + m.Name)
				if s.asJSON {
					return printJSON(cmd.OutOrStdout(), m)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s in %s; ClickHouse, %d schemas, %d topics\n", dir, connectors.Bytes(m.Bytes()), m.Ended.Sub(m.Begun).Round(time.Millisecond), m.Schemas, len(m.Topics))
				return err
			})
		})
	}
	s.flags(command)
	command.Flags().StringVar(&s.to, "to", "", "the folder below which the backup is made, over backup.to")
	command.Flags().StringVar(&base, "incremental", "", "folder of a backup, of which ClickHouse's part holds the difference only")
	command.Flags().BoolVar(&s.clear, "in-the-clear", false, "write the vault unencrypted")
	return command
}

func (s *saving) flags(command *cobra.Command) {
	command.Flags().BoolVar(&s.asJSON, "json", false, "print the result as JSON")
	command.Flags().BoolVar(&s.withoutClickHouse, "without-clickhouse", false, "leave ClickHouse out")
}

func (a *app) backupList() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "list [FOLDER]",
		Short: "List the backups of a folder",
		Long: `List the backups of a folder (backup.to when none is named), the oldest first. One
that did not come to its end is shown as such; the next backup removes it.`,
		Example: `  hopluu backup list
  hopluu backup list /mnt/backups --json | jq -r '.[-1].path'`,
		Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := strings.Join(args, "")
			if dir == "" {
				c, _, err := a.load()
				if err != nil {
					return err
				}
				if dir = c.Backup.To; dir == "" {
					return errors.New("no folder is given: name it, or set backup.to")
				}
			}
			list, err := backup.List(dir)
			if errors.Is(err, fs.ErrNotExist) && len(args) == 0 {
				return fmt.Errorf("no backup was taken yet, or backup.to is wrong: there is no folder %s; 'hopluu backup' makes it", dir)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			t := table.NewWriter()
			t.SetStyle(table.StyleLight)
			t.AppendHeader(table.Row{"backup", "size", "on top of", "encrypted", "taken by", ""})
			for _, l := range list {
				note := "complete"
				if !l.Complete {
					note = "not complete"
				}
				t.AppendRow(table.Row{l.Name, connectors.Bytes(l.Bytes), l.Base, l.Sealed, l.Hopluu, note})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), t.Render())
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print an array of backups as JSON")
	return command
}

func (a *app) backupVerify() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "verify BACKUP",
		Short: "Read a backup and compare it with what was written",
		Long: `Read all files of a backup, compare sizes and checksums with its manifest, and, with
the key of backup.key_file, read what they hold. ClickHouse's part is compared where it
is in the folder; elsewhere its server checks it when it is restored.

Exits with 1 when something is damaged, and names it.`,
		Example: `  hopluu backup verify /srv/hopluu/backups/20260131T020000Z`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key []byte
			if c, _, err := a.load(); err == nil { // nothing but the key is needed of it
				if key, err = c.Backup.SealKey(); err != nil {
					return err
				}
			}
			show := progressOn(os.Stderr, asJSON)
			m, err := backup.Verify(cmd.Context(), args[0], key, func(_ string, done, total int64) { show("verify", done, total) })
			show("", 0, 0)
			if m == nil {
				return err
			}
			if err != nil {
				return fmt.Errorf("%w: %w", errFound, err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), m)
			}
			read := "and what they hold could be read"
			if m.Sealed && key == nil {
				read = "but what they hold was not read: backup.key_file is not set"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d files, %s, as they were written, %s\n", m.Name, len(m.Files), connectors.Bytes(m.Bytes()), read)
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the manifest as JSON")
	return command
}

func (a *app) restoreCommand() *cobra.Command {
	var s saving
	var replace bool
	command := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Bring back what a backup has",
		Long: `Bring back what a backup has: ClickHouse, the schemas under their ids, and those
topics of the backup that are gone (what is there is newer, and stays). Stop all
stages first; only the registry's server goes on. The backup is verified before
anything is changed, and a restore that was cut off is run again.

Afterwards start the stages. The sink goes on from the backup's point, without a
record lost or doubled. Where Kafka was lost too, connectors read their tables anew.
Who was erased since the backup stays erased.

ClickHouse must have no rows; --replace drops bronze, silver, gold and ops before.`,
		Example: `  hopluu restore /srv/hopluu/backups/20260131T020000Z
  hopluu restore /srv/hopluu/backups/20260131T020000Z --replace`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSaving(cmd, s, func(c config.Config, b backup.Config) error {
				return a.audited(cmd, args, c, []string{"clickhouse", "registry", "topics that are gone"}, func(func(...string)) error {
					done, err := backup.Restore(cmd.Context(), b, args[0], replace)
					b.Progress("", 0, 0)
					if err != nil {
						return err
					}
					if s.asJSON {
						return printJSON(cmd.OutOrStdout(), done)
					}
					return printRestored(cmd.OutOrStdout(), done)
				})
			})
		},
	}
	s.flags(command)
	command.Flags().BoolVar(&replace, "replace", false, "drop what ClickHouse has")
	return command
}

func printRestored(w io.Writer, done *backup.Restored) error {
	fmt.Fprintf(w, "backup %s is restored: ClickHouse %s; %d schemas; the sink goes on from the backup's point in %d partitions\n", done.Backup, strings.Join(done.ClickHouse, ", "), done.Schemas, done.Offsets)
	for _, gap := range done.Gaps {
		fmt.Fprintf(w, "LOST: %s came after the backup, and the topic does not hold them any more: read the source anew with 'hopluu connector resnapshot'\n", gap)
	}
	return printTopicsRestored(w, done.Topics, done.Lost)
}

func printTopicsRestored(w io.Writer, topics []backup.RestoredTopic, lost *backup.Recovered) error {
	for _, t := range topics {
		if t.Written > 0 {
			fmt.Fprintf(w, "topic %s: %d records restored, %d newer ones kept\n", t.Topic, t.Written, t.Kept)
		}
	}
	for _, name := range sortedKeys(lost.Archived) {
		fmt.Fprintf(w, "topic %s was lost: its records in ClickHouse are those of %s now\n", name, lost.Archived[name])
	}
	for _, name := range sortedKeys(lost.Recaptured) {
		fmt.Fprintf(w, "source %s is read anew when its connector starts, above epoch %d\n", name, lost.Recaptured[name])
	}
	_, err := fmt.Fprintln(w, "start the stages, then compare with 'hopluu reconcile'")
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (a *app) recoverCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "recover",
		Short:   "Bring hopluu in order after a part was lost",
		Example: "  hopluu recover kafka --from /srv/hopluu/backups/20260131T020000Z",
	}, a.recoverKafka())
}

func (a *app) recoverKafka() *cobra.Command {
	var s saving
	var from string
	var without bool
	command := &cobra.Command{
		Use:   "kafka --from BACKUP",
		Short: "Go on after all of Kafka, or topics of it, were lost",
		Long: `Go on with a Kafka whose topics are gone, or were made anew, while ClickHouse and the
databases are there. Stop all stages first, and start the registry's server.

  - The topics that nothing else can make again come from the backup of --from; the
    ledger of erased people also from ClickHouse's copy.
  - The schemas come from it under their ids.
  - Connectors are set to read their tables anew, above the epochs that bronze has seen:
    what was only in Kafka is lost as history, and no row's state is.
  - The records that bronze has are renamed to topics "<topic>@<epoch>", so that
    topic, partition and offset go on naming one event each.

Until that is done the sink refuses to start. It can be run again. Then start the
stages. --without-backup goes on without what only a backup has.`,
		Example: `  hopluu recover kafka --from /srv/hopluu/backups/20260131T020000Z`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if from == "" && !without {
				return backup.ErrNoBackup
			}
			return a.withSaving(cmd, s, func(c config.Config, b backup.Config) error {
				return a.audited(cmd, args, c, []string{"topics that were lost", "clickhouse"}, func(func(...string)) error {
					done, err := backup.Recover(cmd.Context(), b, from)
					b.Progress("", 0, 0)
					if err != nil {
						return err
					}
					if s.asJSON {
						return printJSON(cmd.OutOrStdout(), done)
					}
					return printTopicsRestored(cmd.OutOrStdout(), done.Topics, done)
				})
			})
		},
	}
	command.Flags().BoolVar(&s.asJSON, "json", false, "print the result as JSON")
	command.Flags().StringVar(&from, "from", "", "the newest backup")
	command.Flags().BoolVar(&without, "without-backup", false, "give up what only a backup has")
	return command
}

// withSaving gives do the configuration and what is saved, connected.
func (a *app) withSaving(cmd *cobra.Command, s saving, do func(config.Config, backup.Config) error) (err error) {
	ctx := cmd.Context()
	c, _, err := a.load()
	if err != nil {
		return err
	}
	b := backup.Config{
		Group: c.Sink.Group, Making: topicSettings(c), Clear: s.clear, Destination: c.Backup.ClickHouse,
		Hopluu: version().String(), Progress: progressOn(os.Stderr, s.asJSON), Vaults: map[string]backup.Vault{},
	}
	if b.Key, err = c.Backup.SealKey(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	sources, err := loadSources(c)
	if err != nil {
		return err
	}
	if b.Landing, err = sinkTopics(c); err != nil {
		return err
	}
	all, err := allTopics(c)
	if err != nil {
		return err
	}
	for _, spec := range all {
		if kept(spec.Name) {
			b.Topics = append(b.Topics, spec)
		}
	}
	for _, src := range sources {
		one := backup.Source{Name: src.Name, Files: src.files()}
		for _, t := range src.Described.Tables {
			one.Tables = append(one.Tables, t.Schema+"."+t.Name)
			one.Topics = append(one.Topics, topic.Public(src.Name, t.Schema, t.Name))
			b.Vaults[topic.Vault(src.Name, t.Schema, t.Name)] = backup.Vault{Source: src.Name, Table: t.Name}
		}
		b.Sources = append(b.Sources, one)
	}
	if b.Kafka, err = dialKafka(ctx, c); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Kafka.Close()) }()
	if b.Registry, err = dialRegistry(ctx, c); err != nil {
		return err
	}
	if s.withoutClickHouse {
		return do(c, b)
	}
	store, err := storeConfig(c)
	if err != nil {
		return err
	}
	if b.ClickHouse, err = dialClickHouse(ctx, store.ClickHouse); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.ClickHouse.Close()) }()
	b.Erase = func(ctx context.Context, ledger *erasure.Ledger) error {
		_, err := clickhouse.Erase(ctx, &store, ledger)
		return err
	}
	return do(c, b)
}

// kept tells whether a topic is saved: what connectors and the matcher make again
// from the sources is not, but for the vault.
func kept(name string) bool {
	switch name {
	case topic.IdentityDecision, topic.IdentityEvent, topic.IdentityAudit, topic.IdentityErasure, topic.Audit:
		return true
	}
	return strings.HasPrefix(name, "vault.") || strings.HasPrefix(name, topic.State(""))
}

// progressOn shows how far a step is on a terminal, on one line.
func progressOn(f *os.File, asJSON bool) func(step string, done, total int64) {
	if asJSON || !term.IsTerminal(int(f.Fd())) {
		return func(string, int64, int64) {}
	}
	return func(step string, done, total int64) {
		switch {
		case step == "":
			fmt.Fprint(f, "\r\x1b[K")
		case total > 0:
			fmt.Fprintf(f, "\r\x1b[K%s %d%%", step, min(100, 100*done/total))
		default:
			fmt.Fprintf(f, "\r\x1b[K%s %d", step, done)
		}
	}
}
