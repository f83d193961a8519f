package erase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Source is one source of the configuration; Files tells that it is a drop of
// files.
type Source struct {
	Name   string
	Sector sectors.Sector
	Files  bool
}

// Config is what the eraser needs.
type Config struct {
	Kafka    *topic.Client
	Registry *registry.Client
	Sources  []Source
	// Records makes the tokens of people's numbers, for a key that is not rotated
	// needs no other to be kept for them; without a record key (nil) Tokens does.
	Tokens, Records *token.Tokenizer
	// OldTokens are of the keys before: rows that were captured with them have
	// tokens of theirs.
	OldTokens []*token.Tokenizer
	// Vault opens what connectors sealed; nil when they seal nothing.
	Vault *seal.Ring
	Log   *slog.Logger
}

// Eraser follows the ledger.
type Eraser struct {
	Config
	// After is called when a step of an erasure is done, with its number from 1:
	// for tests, which stop there. It may be nil.
	After func(step int)
	// Copied is called before what dead letters were is deleted: for tests, whose
	// error ends it there. It may be nil.
	Copied func() error

	keys map[uint32]*keyReader
	rows map[rowSchema]*rowReader
}

// New makes an eraser; Run starts it.
func New(c Config) *Eraser {
	return &Eraser{Config: c, keys: map[uint32]*keyReader{}, rows: map[rowSchema]*rowReader{}}
}

// The transactional ids: one eraser at a time writes, and one more does no harm.
const (
	ledgerID = "hopluu-eraser"
	vaultID  = "hopluu-eraser-vault"
)

// interval is how often the ledger is looked at.
const interval = time.Second

// Run works until ctx ends, which is no error. What cannot be done now is tried
// again.
func (e *Eraser) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	seen, told := int64(-1), ""
	for {
		end, err := feed.End(ctx, e.Kafka)
		if err == nil && end != seen {
			if err = e.Step(ctx); err == nil {
				seen = end // what the step wrote itself is looked at once more
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			told = ""
		case !errors.Is(err, topic.ErrFenced) && told != err.Error():
			told = err.Error()
			e.Log.Error("erasing goes on when this is mended; the ledger says what is open", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Step does all that is open in the ledger now.
func (e *Eraser) Step(ctx context.Context) error {
	ledger, _, err := feed.Read(ctx, e.Kafka)
	if err != nil {
		return err
	}
	for _, said := range ledger.Erasures() {
		switch {
		case said.Holds():
			err = e.erase(ctx, said.ID)
		case said.Lift != nil && !said.Pending:
			err = e.fence(ctx, ledger, said.ID, erasure.StepLift)
		}
		if err != nil {
			return fmt.Errorf("erasure %s: %w", said.ID, err)
		}
	}
	return nil
}

// erase does the steps of one erasure, each with the ledger as the one before
// left it.
func (e *Eraser) erase(ctx context.Context, id string) error {
	for i, step := range []func(context.Context, *erasure.Ledger, string) error{
		e.findNumbers,
		func(ctx context.Context, l *erasure.Ledger, id string) error {
			return e.fence(ctx, l, id, erasure.StepCapture)
		},
		e.emptyVault,
		e.emptyLetters,
		e.forgetLogs,
	} {
		ledger, _, err := feed.Read(ctx, e.Kafka)
		if err == nil {
			err = step(ctx, ledger, id)
		}
		if err != nil {
			return err
		}
		if e.After != nil {
			e.After(i + 1)
		}
	}
	return nil
}

// fence fences the connectors of all sources of which the ledger does not say so.
// Further records that are found need no other fence: connectors know them by
// the records that they speak through.
func (e *Eraser) fence(ctx context.Context, ledger *erasure.Ledger, id, kind string) error {
	var done []feed.Message
	for _, s := range e.Sources {
		if _, did := ledger.Did(id, kind+s.Name); did {
			continue
		}
		fence := connectors.Fence
		if s.Files {
			fence = file.Fence
		}
		if err := fence(ctx, e.Kafka, s.Name); err != nil {
			return fmt.Errorf("the connector of source %s cannot be told: %w", s.Name, err)
		}
		m, err := stepMessage(ledger, id, kind+s.Name, 0)
		if err != nil {
			return err
		}
		done = append(done, m)
	}
	if len(done) == 0 {
		return nil
	}
	return feed.Write(ctx, e.Kafka, ledgerID, time.Now().UnixMilli(), done...)
}

func stepMessage(ledger *erasure.Ledger, id, step string, count int64) (feed.Message, error) {
	key, value, err := ledger.Step(id, time.Now().UnixMilli(), count).Message(id, step)
	return feed.Message{Key: key, Value: value}, err
}
