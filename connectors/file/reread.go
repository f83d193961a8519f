package file

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/file/diff"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Reread has the files of tables ("schema.table") taken in again that are still
// where they were dropped, so that their rows have tokens of the key in force
// (P11). Only rows that stand as a file has them are written: one that a later file
// changed is that one's, and nothing is removed. files is how many there were;
// those that are gone must be dropped once more.
func Reread(ctx context.Context, config Config, tables ...string) (files int, err error) {
	declared, err := config.declared()
	if err != nil {
		return 0, err
	}
	// It takes the connector's transactional id over, so that nothing that runs
	// can undo the marks; the connector begins again from them.
	producer, err := config.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: TransactionalID(config.Source)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	contents, names := map[string]taken{}, map[string]known{}
	err = readState(ctx, config.Kafka, config.Source, func(kind, name string, value []byte) error {
		switch kind {
		case stateContent:
			var t taken
			err := json.Unmarshal(value, &t)
			contents[name] = t
			return err
		case stateName:
			delete(names, name)
			if value == nil {
				return nil
			}
			var k known
			err := json.Unmarshal(value, &k)
			names[name] = k
			return err
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	put := func(kind, name string, value []byte) error {
		return producer.Add(ctx, topic.Partition{Topic: StateTopic(config.Source)}, []byte(kind+"/"+name), value, time.Now().UnixMilli())
	}
	for content, t := range contents {
		table, _, _ := strings.Cut(content, "/")
		if t.Reason != "" || !slices.Contains(tables, table) {
			continue
		}
		t.Again = true
		data, err := json.Marshal(t)
		if err != nil {
			return 0, err
		}
		if err := put(stateContent, content, data); err != nil {
			return 0, err
		}
		files++
	}
	for name, k := range names {
		ours := slices.ContainsFunc(declared, func(t *table) bool {
			matches, err := path.Match(strings.ToLower(t.config.Pattern), strings.ToLower(name))
			return err == nil && matches && slices.Contains(tables, t.name()) // patterns were tried
		})
		if ours && k.Refused == "" {
			if err := put(stateName, name, nil); err != nil {
				return 0, err
			}
		}
	}
	if files == 0 {
		return 0, nil
	}
	return files, producer.Commit(ctx)
}

// moving gives what made the digests of a file that is to be taken in again; nil
// for one that is not. Digests are keyed as tokens are, and are compared under the
// key that they have.
func (s *session) moving(before taken) *token.Tokenizer {
	if !before.Again {
		return nil
	}
	for _, t := range append([]*token.Tokenizer{s.Tokens}, s.OldTokens...) {
		if t.Name() == before.Key {
			return t
		}
	}
	s.Log.Error("a file cannot be moved to the key of tokens in force, as the one that it was taken in with is not under tokens.old: add that key, or drop the file with any change", "file", before.Name, "key", before.Key)
	return nil
}

// moved is what is done with a row of a file that is taken in again: where it
// stands as the file has it, it is written under the key in force, and where a
// later file changed or removed it, it stays that one's.
func moved(outcome diff.Outcome) diff.Outcome {
	switch outcome {
	case diff.Same:
		return diff.Changed
	case diff.New, diff.Changed:
		return diff.Same
	}
	return outcome
}
