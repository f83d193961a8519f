package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/sr"
)

// Registered is a schema as a registry has it: whoever reads an event finds its
// schema by ID alone, so that a registry which is restored must give the same.
type Registered struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
	Type    string `json:"type,omitempty"` // empty: AVRO
	Deleted bool   `json:"deleted,omitempty"`
}

// Copy is all that a registry has.
type Copy struct {
	Schemas []Registered `json:"schemas"` // in the order of ids, subjects and versions
	// Levels are the compatibility levels of subjects that have one of their own.
	Levels map[string]string `json:"levels,omitempty"`
}

// ConflictError says that a registry has something else under an id, or under a
// subject's version, than what it is to be given.
type ConflictError struct{ Want, Have Registered }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("schema %d is %s version %d in the registry and %s version %d (schema %d) in the copy: the registry was begun anew since, and events bear its ids; restore into an empty registry",
		e.Have.ID, e.Have.Subject, e.Have.Version, e.Want.Subject, e.Want.Version, e.Want.ID)
}

// Copy reads all schemas with their ids and versions, deleted ones too.
func (c *Client) Copy(ctx context.Context) (Copy, error) {
	if c.failure != nil {
		return Copy{}, c.wrap(c.failure)
	}
	live, err := c.sr.AllSchemas(ctx)
	if err != nil {
		return Copy{}, c.wrap(err)
	}
	all, err := c.sr.AllSchemas(sr.WithParams(ctx, sr.ShowDeleted))
	if err != nil {
		return Copy{}, c.wrap(err)
	}
	type place struct {
		subject string
		version int
	}
	there := map[place]bool{}
	for _, s := range live {
		there[place{s.Subject, s.Version}] = true
	}
	out := Copy{Levels: map[string]string{}}
	var subjects []string
	for _, s := range all {
		r := Registered{Subject: s.Subject, Version: s.Version, ID: s.ID, Schema: s.Schema.Schema, Deleted: !there[place{s.Subject, s.Version}]}
		if s.Schema.Type != sr.TypeAvro {
			r.Type = s.Schema.Type.String()
		}
		out.Schemas = append(out.Schemas, r)
		subjects = append(subjects, s.Subject)
	}
	slices.SortFunc(out.Schemas, func(a, b Registered) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	slices.Sort(subjects)
	for _, subject := range slices.Compact(subjects) {
		level := c.sr.Compatibility(ctx, subject)[0]
		var answer *sr.ResponseError
		switch {
		case errors.As(level.Err, &answer) && answer.StatusCode == 404: // the default's
		case level.Err != nil:
			return Copy{}, c.wrap(level.Err)
		default:
			out.Levels[subject] = level.Level.String()
		}
	}
	return out, nil
}

// Restore gives the registry what it lacks of a copy, under the same ids and
// versions, and tells how many schemas that were. It can be repeated. Nothing is
// changed when something else is there already, which is a *ConflictError. The
// registry is in its mode IMPORT meanwhile, in which nobody else registers.
func (c *Client) Restore(ctx context.Context, from Copy) (restored int, err error) {
	have, err := c.Copy(ctx)
	if err != nil {
		return 0, err
	}
	byID, byPlace := map[int]Registered{}, map[string]Registered{}
	place := func(r Registered) string { return fmt.Sprint(r.Version, " ", r.Subject) }
	for _, h := range have.Schemas {
		byID[h.ID], byPlace[place(h)] = h, h
	}
	// A restore was begun and has not ended.
	importing, err := c.importing(ctx)
	if err != nil {
		return 0, err
	}
	var missing []Registered
	for _, want := range from.Schemas {
		if h, ok := byID[want.ID]; ok && !sameSchema(h.Schema, want.Schema) {
			return 0, c.wrap(&ConflictError{want, h})
		}
		h, ok := byPlace[place(want)]
		switch {
		case ok && h.ID != want.ID:
			return 0, c.wrap(&ConflictError{want, h})
		case !ok, want.Deleted && !h.Deleted && importing:
			missing = append(missing, want)
		}
	}
	if len(missing) == 0 && !importing {
		return 0, nil
	}
	if err := c.mode(sr.WithParams(ctx, sr.Force), sr.ModeImport); err != nil {
		return 0, err
	}
	for _, r := range missing {
		s := sr.Schema{Schema: r.Schema}
		if r.Type != "" {
			if err := s.Type.UnmarshalText([]byte(r.Type)); err != nil {
				return restored, c.wrap(fmt.Errorf("schema %d: %w", r.ID, err))
			}
		}
		if _, err := c.sr.RegisterSchema(ctx, r.Subject, s, r.ID, r.Version); err != nil {
			return restored, c.wrap(fmt.Errorf("schema %d as %s version %d: %w", r.ID, r.Subject, r.Version, err))
		}
		restored++
	}
	for _, r := range missing {
		if r.Deleted {
			if err := c.sr.DeleteSchema(ctx, r.Subject, r.Version, sr.SoftDelete); err != nil {
				return restored, c.wrap(fmt.Errorf("deleting %s version %d again: %w", r.Subject, r.Version, err))
			}
		}
	}
	for subject, level := range from.Levels {
		if err := c.SetCompatibility(ctx, subject, Level(level)); err != nil {
			return restored, err
		}
	}
	return restored, c.mode(ctx, sr.ModeReadWrite)
}

func (c *Client) importing(ctx context.Context) (bool, error) {
	m := c.sr.Mode(ctx)[0]
	if m.Err != nil {
		return false, c.wrap(m.Err)
	}
	return m.Mode == sr.ModeImport, nil
}

func (c *Client) mode(ctx context.Context, mode sr.Mode) error {
	if err := c.sr.SetMode(ctx, mode)[0].Err; err != nil {
		return c.wrap(fmt.Errorf("mode %s, which restoring needs (Confluent's registry allows it with mode.mutability=true): %w", mode, err))
	}
	return nil
}

// sameSchema compares two schemas by their normal form.
func sameSchema(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := normal(a)
	y, errY := normal(b)
	return errX == nil && errY == nil && x == y
}
