package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/erase"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// eraser does the processor's part of erasing for a sector's source.
func (w *world) eraser(source string, sector sectors.Sector) *erase.Eraser {
	w.t.Helper()
	tokens, err := token.New(token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))})
	require.NoError(w.t, err)
	return erase.New(erase.Config{
		Kafka: w.kafka, Registry: w.registry, Sources: []erase.Source{{Name: source, Sector: sector}},
		Tokens: tokens, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
}

// lettersErased lets the eraser work until it has said that the letters are gone.
func (w *world) lettersErased(e *erase.Eraser, id string) (ledger *erasure.Ledger) {
	w.t.Helper()
	harness.Eventually(w.t, within, func(ctx context.Context) (err error) {
		if err = e.Step(ctx); err != nil {
			return err
		}
		if ledger, _, err = feed.Read(ctx, w.kafka); err != nil {
			return err
		}
		if _, done := ledger.Done(id)[erasure.StepLetters]; !done {
			return fmt.Errorf("not done: %v", ledger.Done(id))
		}
		return nil
	})
	return ledger
}

// lettersAre waits until a topic's dead letters are those.
func (w *world) lettersAre(name string, want ...string) {
	w.t.Helper()
	harness.Eventually(w.t, within, func(context.Context) error {
		if got := w.letterOffsets(name); !slices.Equal(got, want) {
			return fmt.Errorf("the dead letters of %s are %v, not %v", name, got, want)
		}
		return nil
	})
}

// letterOffsets are the offsets in their own topic of a topic's dead letters, in
// the order of the letters.
func (w *world) letterOffsets(name string) (offsets []string) {
	w.t.Helper()
	require.NoError(w.t, w.kafka.ReadAll(w.t.Context(), topic.DeadLetter(name), func(rec topic.Record) error {
		for _, h := range rec.Headers {
			if h.Key == "hopluu.offset" {
				offsets = append(offsets, string(h.Value))
			}
		}
		return nil
	}))
	return offsets
}

// P12, P3: the dead letters of an erased person go, from the topic and from
// ClickHouse, with those that speak of the person and were never anything else;
// everybody else's stay, in their order, and no retry brings the person back.
func TestP12DeadLettersOfTheErasedGo(t *testing.T) {
	sector := harness.Name("clinic")
	parsed, err := sectors.Parse(sector+".yaml", []byte("sector: "+sector+clinic))
	require.NoError(t, err)
	w := newWorld(t, &sectors.Set{Sectors: []sectors.Sector{*parsed}})
	w.ledger()
	source := harness.Name("his")
	patients := w.feed(source, sector, "patient", 1, column{"id", "bigint", true}, column{"name", "text", false})
	encounters := w.feed(source, sector, "encounter", 1, column{"id", "bigint", true}, column{"patient", "bigint", false}, column{"note", "text", false})
	lost := func(f *feeder, values ...any) {
		t.Helper()
		known := f.id
		f.id = 1<<31 - 1
		f.create(values...)
		f.id = known
	}
	for id := range 10 {
		patients.create(id, "here") // 0 to 9
	}
	lost(patients, 7, "poisoned seven") // 10
	lost(patients, 8, "poisoned eight") // 11
	patients.update(7, "seven behind")  // 12
	patients.update(8, "eight behind")  // 13
	patients.commit()
	encounters.create(1, 1, "here")       // 0
	lost(encounters, 40, 7, "poisoned")   // 1
	lost(encounters, 41, 8, "poisoned")   // 2
	encounters.update(40, 7, "of seven")  // 3
	encounters.update(41, 8, "of eight")  // 4
	lost(encounters, 42, 7, "unreadable") // 5: nobody can tell whose it is
	encounters.commit()
	sink := w.run()
	letters := "SELECT topic, offset, state FROM ops.dead_letter FINAL WHERE topic IN ('" + patients.topic + "', '" + encounters.topic + "') ORDER BY offset"
	letter := func(f *feeder, offset, state string) string {
		return "('" + f.topic + "'," + offset + ",'" + state + "')"
	}
	w.expect("SELECT count() FROM ("+letters+")", "(9)")
	w.lettersAre(patients.topic, "10", "11", "12", "13")
	w.lettersAre(encounters.topic, "1", "2", "3", "4", "5")

	id, record := harness.Name("e"), source+".patient:7"
	w.say(erasure.Erasure{ID: id, Version: 1, Records: []string{record}, By: "an", Reason: "asked"})
	ledger := w.lettersErased(w.eraser(source, *parsed), id)
	records, _ := ledger.Names(id)
	require.Contains(t, records, source+".encounter:40", "an encounter that no table ever had")
	require.NotContains(t, records, source+".encounter:41")
	w.lettersAre(patients.topic, "11", "13")
	w.lettersAre(encounters.topic, "2", "4", "5")
	for _, f := range []*feeder{patients, encounters} {
		require.NoError(t, w.kafka.ReadAll(t.Context(), topic.DeadLetter(f.topic), func(rec topic.Record) error {
			require.NotContains(t, string(rec.Value), "seven")
			return nil
		}))
	}
	w.swept(id)
	w.expect(letters, letter(encounters, "2", "open"), letter(encounters, "4", "open"), letter(encounters, "5", "open"), letter(patients, "11", "open"), letter(patients, "13", "open"))

	// Killed after it wrote the others' once more, it finds the copies.
	more := harness.Name("e")
	w.say(erasure.Erasure{ID: more, Version: 1, Records: []string{source + ".patient:8"}, By: "an", Reason: "asked"})
	killed := w.eraser(source, *parsed)
	killed.Copied = func() error { return context.Canceled }
	harness.Eventually(t, within, func(ctx context.Context) error {
		if err := killed.Step(ctx); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("not there yet: %v", err)
		}
		return nil
	})
	w.lettersErased(w.eraser(source, *parsed), more)
	w.lettersAre(patients.topic)
	w.lettersAre(encounters.topic, "5")
	w.swept(more)

	// The reason is mended, and everything retried: of the patients nothing is left
	// that could be.
	patients.registered(1<<31 - 1)
	_, stderr, code := w.hopluu("dlq", "retry", "--topic", patients.topic)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "there is none")
	_, stderr, code = w.hopluu("dlq", "retry", "--all")
	require.Less(t, code, 2, stderr)
	w.expect("SELECT groupUniqArray(id IN (7, 8)) FROM silver."+sector+"_patient", "([0])")
	w.expect("SELECT countIf(name LIKE '%seven%'), countIf(name LIKE '%eight%') FROM bronze."+sector+"_patient", "(0,0)")
	require.NoError(t, sink.stop())
}
