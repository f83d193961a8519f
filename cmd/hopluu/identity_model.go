package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/accepted"
)

func (a *app) identityModelCommand() *cobra.Command {
	var trained bool
	command := &cobra.Command{
		Use:   "model [NAME]",
		Short: "List the models that come with the program, or print one",
		Long: `List the models that come with the program, or print one. A model is a YAML file: columns
and their roles, levels of comparison, blocking rules, weights and thresholds. To link
files of your own, print the one that is nearest and change it. It is printed as it is
described, to be trained; with --trained as it decides here.

The matcher decides by the city's, or by the file that identity.model names. With another
one than before it publishes nothing until 'accept'.`,
		Example: `  hopluu identity model febrl > mine.yaml            # then change it
  hopluu identity model city --trained > old.yaml    # before an upgrade, to compare with
  hopluu identity model show`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return linkage.Defaults(), cobra.ShellCompDirectiveNoFileComp
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("identity model prints one model: give one name")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(linkage.Defaults(), "\n"))
				return err
			}
			text, err := linkage.DefaultText(args[0])
			if err == nil && trained {
				var m *linkage.Model
				if m, err = linkage.Default(args[0]); err == nil {
					text, err = m.Marshal()
				}
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	command.Flags().BoolVar(&trained, "trained", false, "print it with its weights")
	command.AddCommand(a.identityModelShow(), a.identityModelAccept())
	return command
}

// saveTrained writes a trained model, and beside one for the matcher how common
// the values are.
func saveTrained(path string, m *linkage.Model, t *linkage.Table) error {
	var frequencies []byte
	if m.Live != nil {
		var err error
		if frequencies, err = t.Frequencies(linkage.Common); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	if err := m.Stamp(frequencies); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	text, err := m.Marshal()
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if m.Live != nil {
		err := writeWhole(linkage.FrequenciesBeside(path), func(w io.Writer) error { _, err := w.Write(frequencies); return err })
		if err != nil {
			return err
		}
	}
	return writeWhole(path, func(w io.Writer) error { _, err := w.Write(text); return err })
}

// liveModel reads the model that identity.model names; without one it gives the
// city's, which comes with the program.
func liveModel(c config.Identity) (*linkage.Model, *linkage.Frequencies, error) {
	if c.Model == "" {
		m, err := linkage.Default(matcher.DefaultModel)
		if err != nil {
			return nil, nil, err
		}
		known, err := linkage.DefaultFrequencies(matcher.DefaultModel)
		return m, known, err
	}
	text, err := os.ReadFile(c.Model)
	if err != nil {
		return nil, nil, fmt.Errorf("identity.model: %w: make it with 'hopluu identity link --train --save-model', or leave the key empty", err)
	}
	beside := linkage.FrequenciesBeside(c.Model)
	frequencies, err := os.ReadFile(beside)
	if errors.Is(err, fs.ErrNotExist) {
		// What is no model for the matcher has none: say that first.
		if m, err := linkage.ParseModel(text); err == nil && m.Live != nil {
			return nil, nil, fmt.Errorf("identity.model %s: %s is missing, which 'hopluu identity link --train --save-model' writes beside it: put both in one place", c.Model, beside)
		}
	} else if err != nil {
		return nil, nil, fmt.Errorf("identity.model: %w", err)
	}
	m, known, err := linkage.ParseLive(text, frequencies)
	if err != nil {
		return nil, nil, fmt.Errorf("identity.model %s: %w", c.Model, err)
	}
	return m, known, nil
}

// inForce is what 'identity model show' prints.
type inForce struct {
	// Model is the version of this configuration's model.
	Model    string          `json:"model"`
	Accepted *accepted.Model `json:"accepted"`
	// Links are the links that are published, by the version that decided them.
	Links map[string]int `json:"links"`
	// Waits tells that a matcher with this configuration publishes nothing.
	Waits bool `json:"waits"`
}

func (a *app) identityModelShow() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "show",
		Short: "Show which model is in force, and whether this configuration's waits to be accepted",
		Long: `Show the model of this configuration (identity.model), the model that was accepted last
and by whom, and by which models the published links were decided. A matcher whose model
is another one publishes nothing until it is accepted.`,
		Example: "  hopluu identity model show --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.modelInForce(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			return printInForce(cmd.OutOrStdout(), s)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return command
}

func (a *app) modelInForce(ctx context.Context) (s inForce, err error) {
	c, _, err := a.load()
	if err != nil {
		return s, err
	}
	m, _, err := liveModel(c.Identity)
	if err != nil {
		return s, err
	}
	s.Model = m.Version
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	schemas, err := dialRegistry(ctx, c)
	if err != nil {
		return s, err
	}
	if s.Accepted, err = accepted.Read(ctx, kafka); err != nil {
		return s, err
	}
	if s.Links, err = matcher.LinkModels(ctx, kafka, schemas); err != nil {
		return s, err
	}
	if s.Accepted != nil {
		s.Waits = s.Accepted.Version != s.Model
		return s, nil
	}
	for version := range s.Links {
		s.Waits = s.Waits || version != s.Model
	}
	return s, nil
}

func printInForce(w io.Writer, s inForce) error {
	lines := []string{"this configuration's model is " + s.Model}
	if s.Accepted != nil {
		lines = append(lines, s.Accepted.String())
	} else {
		lines = append(lines, "no model was ever accepted: that of the links is in force")
	}
	for _, version := range slices.Sorted(maps.Keys(s.Links)) {
		lines = append(lines, fmt.Sprintf("%d links are of model %s", s.Links[version], version))
	}
	if s.Waits {
		lines = append(lines, "a matcher with this configuration waits: see what moves with 'hopluu identity diff', then say 'hopluu identity model accept "+s.Model+" --why …'")
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func (a *app) identityModelAccept() *cobra.Command {
	var why string
	command := &cobra.Command{
		Use:   "accept VERSION",
		Short: "Let this configuration's model change the links",
		Long: `Let this configuration's model decide from now on: matchers that wait with it publish what
it changes, merges and splits in identity.event. A matcher with another model waits in its
turn, from its next start or change of the group on; to go back, accept the old one. See
what would move before, with 'hopluu identity diff' (docs/linkage.md).

VERSION is that of the model of this configuration, as 'hopluu identity model show' says.`,
		Example: `  hopluu identity model accept city-3+1f0c9a2b --why "trained on the city of May; 12 people split"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("identity model accept needs one version: see 'hopluu identity model show'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.acceptModel(cmd, args, why) },
	}
	command.Flags().StringVar(&why, "why", "", "why it is accepted; it is shown with the model")
	return command
}

func (a *app) acceptModel(cmd *cobra.Command, args []string, why string) (err error) {
	if strings.TrimSpace(why) == "" {
		return errors.New("--why is needed: whoever finds people moved must know what for")
	}
	c, _, err := a.load()
	if err != nil {
		return err
	}
	m, _, err := liveModel(c.Identity)
	if err != nil {
		return err
	}
	if args[0] != m.Version {
		return fmt.Errorf("the model of this configuration is %s, not %s: accept that, or name the other's file with identity.model first", m.Version, args[0])
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
	defer cancel()
	kafka, err := dialKafka(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	if _, err := kafka.Ensure(ctx, topicSettings(c).ModelSpec()); err != nil {
		return err
	}
	now, err := accepted.Read(ctx, kafka)
	if err != nil {
		return err
	}
	if now != nil && now.Version == m.Version {
		return fmt.Errorf("%s: there is nothing to do", now)
	}
	who, _ := a.operator()
	said := accepted.Model{Version: m.Version, By: who, Why: strings.Join(strings.Fields(why), " "), At: time.Now().UTC().Truncate(time.Second)}
	err = a.audited(cmd, args, c, []string{"model " + m.Version}, func(func(...string)) error { return accepted.Write(ctx, kafka, said) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), said.String()+"; matchers that wait with it publish within seconds")
	return err
}
