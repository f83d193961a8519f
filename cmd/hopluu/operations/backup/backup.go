package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Source is a source whose connector's checkpoint is saved.
type Source struct {
	Name   string
	Files  bool
	Tables []string // "schema.table", of a database
	Topics []string // of its change events
}

// Config is what is saved and restored.
type Config struct {
	ClickHouse driver.Conn      // nil: ClickHouse is left out
	Kafka      *topic.Client    // nil: topics are left out
	Registry   *registry.Client // nil: schemas are left out
	Group      string           // the sink's
	Landing    []string         // the topics that the sink reads
	Topics     []topic.Spec     // those that are saved, as they are made
	Making     connectors.Topics
	Vaults     map[string]Vault // by topic
	// Erase deletes from ClickHouse whom a ledger names.
	Erase   func(ctx context.Context, ledger *erasure.Ledger) error
	Sources []Source
	// Key seals the files; nil writes them in the clear, which Clear allows.
	Key   []byte
	Clear bool
	// Destination is where ClickHouse writes, an expression of BACKUP such as
	// S3('https://…/{name}', 'key', 'secret'); {name} stands for the part. Empty:
	// into the backup's folder.
	Destination string
	Hopluu      string // version
	// Progress tells how far a step is; total is 0 while it is not known.
	Progress func(step string, done, total int64)
}

func (c *Config) progress(step string, done, total int64) {
	if c.Progress != nil {
		c.Progress(step, done, total)
	}
}

// ErrNoKey refuses to write people's numbers in the clear (P11).
var ErrNoKey = errors.New("the vault holds people's numbers, and backup.key_file is not set: make a key with 'openssl rand -hex 32' and name its file, or allow it with --in-the-clear")

// run is one backup while it is taken.
type run struct {
	*Config
	dir      string
	base     *Manifest
	baseDir  string
	manifest Manifest
}

// Run takes a backup into a new folder below to. base is the folder of another
// one, of which ClickHouse's part then holds the difference only; "" for none.
// What an earlier backup left that did not come to its end is removed.
func Run(ctx context.Context, c Config, to, base string) (_ *Manifest, dir string, err error) {
	if c.Key == nil && !c.Clear && len(c.Topics) > 0 {
		return nil, "", ErrNoKey
	}
	if to, err = filepath.Abs(to); err != nil {
		return nil, "", fmt.Errorf("backup: %w", err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return nil, "", fmt.Errorf("backup: %w: name a folder that hopluu may write to", err)
	}
	held, err := lock(to)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	r := &run{Config: &c}
	if r.baseDir = base; base != "" {
		if r.base, err = Open(base); err != nil {
			return nil, "", err
		}
	}
	if _, err := removePartial(to); err != nil {
		return nil, "", err
	}
	begun := time.Now().UTC()
	r.manifest = Manifest{Format: formatVersion, Name: newName(to, begun), Begun: begun, Hopluu: c.Hopluu, Sealed: c.Key != nil, Group: c.Group, IDs: map[string]string{}}
	if r.base != nil {
		r.manifest.Base = r.base.Name
	}
	r.dir = filepath.Join(to, r.manifest.Name)
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return nil, "", onDisk(err)
	}
	if err := r.all(ctx); err != nil {
		return nil, r.dir, err
	}
	r.manifest.Ended = time.Now().UTC()
	return &r.manifest, r.dir, r.manifest.write(r.dir)
}

func (r *run) all(ctx context.Context) error {
	if r.ClickHouse != nil {
		if err := r.point(ctx); err != nil {
			return err
		}
		if err := r.saveClickHouse(ctx); err != nil {
			return err
		}
	}
	if r.Registry != nil {
		if err := r.saveRegistry(ctx); err != nil {
			return err
		}
	}
	return r.saveTopics(ctx)
}

// point notes where the sink goes on after a restore, before anything is copied.
func (r *run) point(ctx context.Context) (err error) {
	offsets, err := held(ctx, r.ClickHouse)
	if err != nil {
		return err
	}
	for p, next := range offsets {
		r.manifest.Offsets = append(r.manifest.Offsets, Offset{p.Topic, p.ID, next})
	}
	slices.SortFunc(r.manifest.Offsets, func(a, b Offset) int {
		return topic.Partition.Compare(topic.Partition{Topic: a.Topic, ID: a.Partition}, topic.Partition{Topic: b.Topic, ID: b.Partition})
	})
	r.manifest.Epoch, err = epoch(ctx, r.ClickHouse)
	return err
}

func (r *run) saveRegistry(ctx context.Context) error {
	r.progress("schemas", 0, 0)
	all, err := r.Registry.Copy(ctx)
	if err != nil {
		return err
	}
	out, err := create(r.dir, registryFile, r.Key)
	if err != nil {
		return err
	}
	err = json.NewEncoder(out).Encode(all)
	file, closed := out.close()
	if err := errors.Join(err, closed); err != nil {
		return onDisk(err)
	}
	r.manifest.Schemas = len(all.Schemas)
	r.manifest.Files = append(r.manifest.Files, file)
	return nil
}

// registryFile holds a registry.Copy.
const registryFile = "schemas.json"

// saveTopics saves the topics, the ledger of erased people last: it is as new as
// what is saved can be (P12).
func (r *run) saveTopics(ctx context.Context) error {
	if r.Kafka == nil {
		return nil
	}
	ids, err := r.Kafka.IDs(ctx)
	if err != nil {
		return err
	}
	counts, err := r.Kafka.PartitionCounts(ctx)
	if err != nil {
		return err
	}
	for name := range counts {
		if slices.Contains(r.Landing, name) {
			r.manifest.IDs[name] = ids[name].String()
		}
	}
	specs := slices.Clone(r.Topics)
	slices.SortFunc(specs, func(a, b topic.Spec) int {
		if last := func(s topic.Spec) bool { return s.Name == topic.IdentityErasure }; last(a) != last(b) {
			if last(a) {
				return 1
			}
			return -1
		}
		return topic.Partition.Compare(topic.Partition{Topic: a.Name}, topic.Partition{Topic: b.Name})
	})
	for i, s := range specs {
		n, ok := counts[s.Name]
		if !ok {
			continue // nobody has made it yet
		}
		r.progress("topic "+s.Name, int64(i), int64(len(specs)))
		s.Partitions = n
		r.manifest.IDs[s.Name] = ids[s.Name].String()
		if err := r.saveTopic(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Verify reads all files of a backup and compares them with the manifest. tell is
// called with each file; ClickHouse's part is compared where it is in the folder.
// With the key the contents are read too.
func Verify(ctx context.Context, dir string, key []byte, tell func(path string, done, total int64)) (*Manifest, error) {
	m, err := Open(dir)
	if err != nil {
		return nil, err
	}
	var all []error
	var done int64
	total := m.Bytes()
	for _, f := range m.Files {
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		tell(f.Path, done, total)
		done += f.Bytes
		have, err := sum(filepath.Join(dir, filepath.FromSlash(f.Path)), f.Path)
		switch {
		case err != nil:
			all = append(all, fmt.Errorf("backup %s is damaged: %w", m.Name, err))
		case have != f:
			all = append(all, fmt.Errorf("backup %s is damaged: %s has %d bytes with checksum %.12s, it was written with %d and %.12s", m.Name, f.Path, have.Bytes, have.SHA256, f.Bytes, f.SHA256))
		}
	}
	if len(all) > 0 || m.Sealed && key == nil {
		return m, errors.Join(all...)
	}
	for _, t := range m.Topics {
		if err := each(dir, m, t, key, func(*topic.Record) error { return ctx.Err() }); err != nil {
			all = append(all, err)
		}
	}
	if slices.ContainsFunc(m.Files, func(f File) bool { return f.Path == registryFile }) {
		_, err := readRegistry(dir, m, key)
		all = append(all, err)
	}
	return m, errors.Join(all...)
}

func readRegistry(dir string, m *Manifest, key []byte) (all registry.Copy, err error) {
	in, err := open(dir, registryFile, m, key)
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := json.NewDecoder(in).Decode(&all); err != nil {
		return all, fmt.Errorf("backup %s, %s: %w", m.Name, registryFile, err)
	}
	return all, nil
}
