package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// manifestName is written last: a folder without one is not a backup.
const manifestName = "manifest.json"

// formatVersion of the manifest and the files.
const formatVersion = 1

// Manifest says what a backup holds.
type Manifest struct {
	Format  int       `json:"format"`
	Name    string    `json:"name"`
	Begun   time.Time `json:"begun"`
	Ended   time.Time `json:"ended"`
	Hopluu  string    `json:"hopluu"` // version that wrote it
	Base    string    `json:"base,omitempty"`
	Sealed  bool      `json:"encrypted"` // the files, not ClickHouse's part
	Group   string    `json:"sink_group"`
	Epoch   uint32    `json:"sink_epoch"`
	Offsets []Offset  `json:"offsets"` // O, in the order of topics and partitions
	Topics  []Topic   `json:"topics"`  // that are saved
	// IDs are Kafka's ids of all topics that are read or saved.
	IDs        map[string]string `json:"topic_ids"`
	Schemas    int               `json:"schemas"`
	Files      []File            `json:"files"`
	ClickHouse []Part            `json:"clickhouse"`
}

// Offset is where the sink goes on in a partition after a restore.
type Offset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"`
}

// Topic is a topic that is saved, as it is to be made again.
type Topic struct {
	Name       string            `json:"name"`
	Partitions int32             `json:"partitions"`
	Config     map[string]string `json:"config,omitempty"`
	Records    int64             `json:"records"`
	File       string            `json:"file"`
}

// File is one file of the backup, by its path in the backup's folder.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Part is one of ClickHouse's own backups.
type Part struct {
	Name      string   `json:"name"`
	Databases []string `json:"databases"`
	// At is where ClickHouse wrote it, for people: without what may be secret.
	At string `json:"at"`
	// Folder is its place in the backup's folder, "" when it is elsewhere.
	Folder string `json:"folder,omitempty"`
	Bytes  int64  `json:"bytes"`
	Files  int64  `json:"files"`
}

// Bytes is the size of everything.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		if !m.inClickHouse(f.Path) {
			n += f.Bytes
		}
	}
	for _, p := range m.ClickHouse {
		n += p.Bytes
	}
	return n
}

func (m *Manifest) inClickHouse(path string) bool {
	return slices.ContainsFunc(m.ClickHouse, func(p Part) bool {
		return p.Folder != "" && len(path) > len(p.Folder) && path[:len(p.Folder)+1] == p.Folder+"/"
	})
}

func (m *Manifest) offsets() map[topic.Partition]int64 {
	all := make(map[topic.Partition]int64, len(m.Offsets))
	for _, o := range m.Offsets {
		all[topic.Partition{Topic: o.Topic, ID: o.Partition}] = o.Next
	}
	return all
}

// Open reads the manifest of the backup in a folder.
func Open(dir string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("backup %s is not there: 'hopluu backup list' tells which are", dir)
		}
		if found, err := filepath.Glob(filepath.Join(dir, "*", manifestName)); err == nil && len(found) > 0 {
			return nil, fmt.Errorf("%s is a folder of backups: name one of them, such as %s", dir, filepath.Dir(found[len(found)-1]))
		}
		return nil, fmt.Errorf("%s has no %s: it is not a backup, or one that did not come to its end", dir, manifestName)
	}
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("backup %s: its %s cannot be read: %w: take another backup", dir, manifestName, err)
	}
	if m.Format != formatVersion {
		return nil, fmt.Errorf("backup %s has format %d, this hopluu reads %d: use the one that wrote it (%s)", dir, m.Format, formatVersion, m.Hopluu)
	}
	return m, nil
}

// write writes the manifest, as a whole or not at all.
func (m *Manifest) write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	temporary := filepath.Join(dir, "."+manifestName)
	if err := writeFile(temporary, append(data, '\n')); err != nil {
		return err
	}
	if err := os.Rename(temporary, filepath.Join(dir, manifestName)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return syncFolder(dir)
}

// writeFile writes a file and waits until the disk has it.
func writeFile(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			err = fmt.Errorf("backup: %w", closed)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// syncFolder waits until the disk has the names of a folder's files.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Listed is one backup of a folder.
type Listed struct {
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	Complete bool      `json:"complete"`
	Begun    time.Time `json:"begun,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Base     string    `json:"base,omitempty"`
	Bytes    int64     `json:"bytes"`
	Sealed   bool      `json:"encrypted"`
	Hopluu   string    `json:"hopluu,omitempty"`
}

// List gives the backups of a folder, the oldest first, those that did not come
// to their end too.
func List(dir string) ([]Listed, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("backup: %w: name the folder that holds the backups", err)
	}
	list := []Listed{}
	for _, e := range entries {
		if !e.IsDir() || !backupName.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		l := Listed{Name: e.Name(), Path: path}
		if m, err := Open(path); err == nil {
			l.Complete, l.Begun, l.Ended, l.Base, l.Bytes, l.Sealed, l.Hopluu = true, m.Begun, m.Ended, m.Base, m.Bytes(), m.Sealed, m.Hopluu
		}
		list = append(list, l)
	}
	return list, nil
}
