package matcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/accepted"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// A new model moves people: it never does so in silence. A matcher whose model is
// not the one of the links that are published waits outside of its group, where it
// is in nobody's way, until a person accepts the model. From then on this one is
// in force: the matchers of another wait in their turn.

// modelOf gives the model that a matcher is to decide by: the one that is
// configured, or the city's that comes with the program.
func modelOf(c Config) (*linkage.Model, *linkage.Frequencies, error) {
	if c.Model != nil {
		return c.Model, c.Frequencies, nil
	}
	m, err := linkage.Default(DefaultModel)
	if err != nil {
		return nil, nil, err
	}
	known, err := linkage.DefaultFrequencies(DefaultModel)
	return m, known, err
}

// otherModelError says that our model is not the one in force.
type otherModelError struct {
	ours  string
	links []string // versions of the models of the links; empty with accepted
	// accepted is what a person accepted last.
	accepted *accepted.Model
}

func (e *otherModelError) Error() string {
	what := "identity.link has links of model " + strings.Join(e.links, " and ")
	old := strings.Join(e.links, "+")
	if e.accepted != nil {
		what, old = e.accepted.String(), e.accepted.Version
	}
	return fmt.Sprintf("%s; the model here is %s, and publishes nothing before a person accepts it: see what moves with 'hopluu identity diff' (%s against %s), then say 'hopluu identity model accept %s --why …'", what, e.ours, old, e.ours, e.ours)
}

// awaitModel waits until our model is the one in force.
func (m *Matcher) awaitModel(ctx context.Context) error {
	waits := m.inForce(ctx)
	defer m.metrics.modelWaits.Set(0)
	for told := ""; asOtherModel(waits); {
		m.metrics.modelWaits.Set(1)
		if why := waits.Error(); why != told {
			told = why
			m.notReady(why)
			m.log.Error("waiting for the model to be accepted", "why", why)
		}
		if err := pause(ctx, topicsWait); err != nil {
			return err
		}
		// The links stay what they were until somebody accepts.
		if ours, err := m.accepted(ctx); ours || err != nil {
			waits = err
		}
	}
	return waits
}

// accepted tells whether a person accepted our model; false where nobody ever
// accepted one. An *otherModelError says that it was another.
func (m *Matcher) accepted(ctx context.Context) (bool, error) {
	now, err := accepted.Read(ctx, m.config.Kafka)
	if err != nil {
		return false, fmt.Errorf("matcher: %w", err)
	}
	if now != nil && now.Version != m.model.Version {
		return false, &otherModelError{ours: m.model.Version, accepted: now}
	}
	return now != nil, nil
}

// inForce is an *otherModelError when our model is not the one in force.
func (m *Matcher) inForce(ctx context.Context) error {
	if ours, err := m.accepted(ctx); ours || err != nil {
		return err
	}
	m.notReady("the models of identity.link are being read")
	models, err := linkModels(ctx, m.config.Kafka, m.decoder)
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	delete(models, m.model.Version)
	if len(models) == 0 {
		return nil
	}
	return &otherModelError{ours: m.model.Version, links: slices.Sorted(maps.Keys(models))}
}

// LinkModels counts the links that are published, by the version of the model that
// decided them.
func LinkModels(ctx context.Context, kafka *topic.Client, schemas *registry.Client) (map[string]int, error) {
	counts, err := kafka.PartitionCounts(ctx, topic.IdentityLink)
	if err != nil || counts[topic.IdentityLink] == 0 {
		return map[string]int{}, err
	}
	return linkModels(ctx, kafka, newDecoder(schemas, nil))
}

// linkModels is LinkModels. Links in the schema of another program count: it is an
// upgrade that brings another model.
func linkModels(ctx context.Context, kafka *topic.Client, d *decoder) (map[string]int, error) {
	field := slices.IndexFunc(linkValue, func(f avro.FlatField) bool { return f.Name == "model_version" })
	values, cells := newFlatReader(linkValue[field:field+1]), make([]avro.Cell, 1)
	models := map[string]int{}
	last := map[uint64]string{} // by a hash of the key; the texts are few
	var texts = map[string]string{}
	err := kafka.ReadAll(ctx, topic.IdentityLink, func(rec topic.Record) error {
		key := xxhash.Sum64(rec.Key)
		if old, ok := last[key]; ok {
			if models[old]--; models[old] == 0 {
				delete(models, old)
			}
			delete(last, key)
		}
		if rec.Value == nil {
			return nil
		}
		if err := values.read(ctx, d, rec.Value, cells); err != nil {
			if isUndecodable(err) {
				err = fmt.Errorf("%s, offset %d: the message is no link of this program (%w): delete topic identity.link and create it anew, the matcher fills it again", rec.Partition, rec.Offset, err)
			}
			return err
		}
		version, ok := texts[string(cells[0].B)]
		if !ok {
			version = string(cells[0].B)
			texts[version] = version
		}
		last[key] = version
		models[version]++
		return nil
	})
	return models, err
}

// asOtherModel tells whether what ended the matcher's work is that its model is
// not the one in force.
func asOtherModel(err error) bool {
	var other *otherModelError
	return errors.As(err, &other)
}
