package main

import "github.com/spf13/cobra"

func (a *app) connectorCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "connector",
		Short: "Capture changes from sector databases, and files that departments drop",
		Long: `Capture changes from sector databases, and files that departments drop.

  check       look at sources and Kafka without changing them, and say what to mend
  enable      print (or, with --run, do) what a DBA must grant; every lock is named
  run         snapshot, then stream, into Kafka; take files in
  status      how far each source is, what its slot holds back, which files and rows
              were refused, what is quarantined
  letters     the changes of a quarantined table, as its source sent them
  resnapshot  read tables, or a range of keys, anew: after a gap, or to end a quarantine
  disable     print (or, with --run, do) the complete clean-up, and prove it

enable, letters, resnapshot and disable are for databases. A source of kind file (CSV and
Excel files in a folder or a bucket) needs no more than its configuration.`,
		Example: `  hopluu connector enable health > health.sql   # for the DBA
  hopluu connector check health
  hopluu connector run health
  hopluu connector status --json`,
	}, a.connectorCheck(), a.connectorEnable(), a.connectorRun(), a.connectorStatus(), a.connectorLetters(), a.connectorResnapshot(), a.connectorDisable())
}
