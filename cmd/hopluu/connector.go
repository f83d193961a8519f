package main

import "github.com/spf13/cobra"

func (a *app) connectorCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "connector",
		Short: "Capture changes from sector databases",
		Long: `Capture changes from sector databases.

  check       look at databases and Kafka without changing them, and say what to mend
  enable      print (or, with --run, do) what a DBA must grant; every lock is named
  run         snapshot, then stream, into Kafka
  status      how far each source is, what its slot holds back, what is quarantined
  resnapshot  read tables anew: after a gap, or to end a quarantine
  disable     print (or, with --run, do) the complete clean-up, and prove it`,
		Example: `  hopluu connector enable health > health.sql   # for the DBA
  hopluu connector check health
  hopluu connector run health
  hopluu connector status --json`,
	}, a.connectorCheck(), a.connectorEnable(), a.connectorRun(), a.connectorStatus(), a.connectorResnapshot(), a.connectorDisable())
}

// databases loads the configuration and the sources that args name.
func (a *app) databases(args []string) ([]source, error) {
	c, _, err := a.load()
	if err != nil {
		return nil, err
	}
	return databases(c, args)
}
