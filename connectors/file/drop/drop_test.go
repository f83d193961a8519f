package drop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/file/drop/fakes3"
	"github.com/stretchr/testify/require"
)

func open(t *testing.T, location string, c Credentials) Place {
	t.Helper()
	p, err := Open(location, c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func list(t *testing.T, p Place) map[string]Entry {
	t.Helper()
	entries, err := p.List(t.Context())
	require.NoError(t, err)
	byName := map[string]Entry{}
	for _, e := range entries {
		byName[e.Name] = e
	}
	require.Len(t, byName, len(entries))
	return byName
}

func content(t *testing.T, p Place, e Entry) (string, error) {
	t.Helper()
	in, err := p.Open(t.Context(), e)
	if err != nil {
		return "", err
	}
	all, err := io.ReadAll(in)
	require.NoError(t, in.Close())
	return string(all), err
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.csv", "hello")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	write(t, filepath.Join(dir, "sub"), "b.csv", "not looked at")
	p := open(t, "file://"+dir, Credentials{})
	require.Equal(t, dir, p.String())
	require.False(t, p.Whole())
	files := list(t, p)
	require.Len(t, files, 1)
	text, err := content(t, p, files["a.csv"])
	require.NoError(t, err)
	require.Equal(t, "hello", text)

	require.NoError(t, p.Put(t.Context(), "a.csv.refused.csv", strings.NewReader("report"), 6))
	require.NoError(t, p.Put(t.Context(), "a.csv.refused.csv", strings.NewReader("again"), 5))
	files = list(t, p)
	require.Len(t, files, 2, "nothing temporary is left")
	text, err = content(t, p, files["a.csv.refused.csv"])
	require.NoError(t, err)
	require.Equal(t, "again", text)

	// The folder is another one now, as when a share is mounted.
	require.NoError(t, os.Rename(dir, dir+"-old"))
	require.NoError(t, os.Mkdir(dir, 0o700))
	write(t, dir, "c.csv", "new")
	require.Contains(t, list(t, p), "c.csv")
	require.NoError(t, os.RemoveAll(dir))
	_, err = p.List(t.Context())
	require.ErrorContains(t, err, "cannot be opened")
	require.NoError(t, os.Rename(dir+"-old", dir))
	require.Contains(t, list(t, p), "a.csv")
}

// Whoever may write to a drop must not read other files through us, nor write
// to them.
func TestFolderFollowsNoLinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write(t, other, "secret", "secret")
	require.NoError(t, os.Symlink(filepath.Join(other, "secret"), filepath.Join(dir, "a.csv")))
	p := open(t, dir, Credentials{})
	require.Empty(t, list(t, p))
	_, err := p.Open(t.Context(), Entry{Name: "a.csv", Size: 6})
	var changed *ChangedError
	require.True(t, errors.As(err, &changed))
	_, err = p.Open(t.Context(), Entry{Name: "../" + filepath.Base(other) + "/secret", Size: 6})
	require.Error(t, err)

	require.NoError(t, os.Symlink(filepath.Join(other, "secret"), filepath.Join(dir, "report")))
	require.NoError(t, p.Put(t.Context(), "report", strings.NewReader("mine"), 4))
	left, err := os.ReadFile(filepath.Join(other, "secret"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(left))
}

// A file that changes between listing and the end of reading is not taken for
// the one that was listed.
func TestFolderNoticesChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.csv", "one")
	p := open(t, dir, Credentials{})
	e := list(t, p)["a.csv"]
	write(t, dir, "a.csv", "other")
	var changed *ChangedError
	_, err := content(t, p, e)
	require.True(t, errors.As(err, &changed), "%v", err)

	e = list(t, p)["a.csv"]
	in, err := p.Open(t.Context(), e)
	require.NoError(t, err)
	write(t, dir, "a.csv", "other, and longer")
	_, err = io.ReadAll(in)
	require.True(t, errors.As(err, &changed), "%v", err)
	require.NoError(t, in.Close())

	require.NoError(t, os.Remove(filepath.Join(dir, "a.csv")))
	_, err = content(t, p, e)
	require.True(t, errors.As(err, &changed), "%v", err)
}

func bucketRig(t *testing.T) (*fakes3.Store, string) {
	t.Helper()
	store := fakes3.New("key")
	web := httptest.NewServer(store)
	t.Cleanup(web.Close)
	return store, strings.Replace(web.URL, "http://", "s3+http://", 1)
}

func TestBucket(t *testing.T) {
	store, endpoint := bucketRig(t)
	when := time.Date(2025, 1, 31, 12, 0, 0, 0, time.UTC)
	for i := range 5 {
		store.Put(fmt.Sprintf("drops/labour/f%d.csv", i), []byte(fmt.Sprint("content ", i)), when)
	}
	store.Put("drops/labour/old/f.csv", []byte("a folder of its own"), when)
	store.Put("drops/other/f.csv", []byte("not ours"), when)
	p := open(t, endpoint+"/drops/labour", Credentials{AccessKey: "key", SecretKey: "secret"})
	require.Equal(t, endpoint+"/drops/labour/", p.String())
	require.True(t, p.Whole())
	files := list(t, p)
	require.Len(t, files, 5)
	e := files["f3.csv"]
	require.True(t, e.Modified.Equal(when))
	require.EqualValues(t, 9, e.Size)
	text, err := content(t, p, e)
	require.NoError(t, err)
	require.Equal(t, "content 3", text)

	require.NoError(t, p.Put(t.Context(), "f3.csv.refused.csv", strings.NewReader("report"), 6))
	got, ok := store.Get("drops/labour/f3.csv.refused.csv")
	require.True(t, ok)
	require.Equal(t, "report", string(got))

	// Replaced, or gone, since it was listed.
	var changed *ChangedError
	store.Put("drops/labour/f3.csv", []byte("CONTENT 3"), when)
	_, err = content(t, p, e)
	require.True(t, errors.As(err, &changed), "%v", err)
	store.Remove("drops/labour/f3.csv")
	_, err = content(t, p, e)
	require.True(t, errors.As(err, &changed), "%v", err)

	large := bytes.Repeat([]byte("x"), 3<<20)
	require.NoError(t, p.Put(t.Context(), "large", bytes.NewReader(large), int64(len(large))))
	got, _ = store.Get("drops/labour/large")
	require.True(t, bytes.Equal(large, got))

	wrong := open(t, endpoint+"/drops", Credentials{AccessKey: "other", SecretKey: "secret"})
	_, err = wrong.List(t.Context())
	require.ErrorContains(t, err, "cannot be listed (AccessDenied): check its name, the credentials")
	var config *ConfigError
	require.True(t, errors.As(err, &config), "a person has to act")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.List(ctx)
	require.Error(t, err)
}

func TestLocations(t *testing.T) {
	var config *ConfigError
	for _, location := range []string{"", "ftp://x/y", "s3://host", "s3:///bucket", "s3://key:secret@host/bucket", "s3://h:port/b/%zz"} {
		_, err := Open(location, Credentials{})
		require.True(t, errors.As(err, &config), "%s: %v", location, err)
		require.NotContains(t, err.Error(), "secret@")
		require.Equal(t, err, Validate(location))
	}
	require.NoError(t, Validate("s3://host/bucket/prefix"))
	require.NoError(t, Validate("drops"))
	_, err := Open(filepath.Join(t.TempDir(), "none"), Credentials{})
	require.Error(t, err)
	require.False(t, errors.As(err, &config), "a share that is away may come back")
}

// Whether reports can be written is found out without leaving anything, where
// that is allowed.
func TestWritable(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir, Credentials{})
	require.NoError(t, p.Writable(t.Context()))
	require.Empty(t, list(t, p))
	require.NoError(t, os.RemoveAll(dir))
	require.ErrorContains(t, p.Writable(t.Context()), "cannot be written to")

	store, endpoint := bucketRig(t)
	b := open(t, endpoint+"/drops", Credentials{AccessKey: "key", SecretKey: "secret"})
	require.NoError(t, b.Writable(t.Context()))
	require.Empty(t, list(t, b))
	store.Keeps = true
	require.NoError(t, b.Writable(t.Context()))
	require.Len(t, list(t, b), 1, "it may not remove what it wrote")
	store.ReadOnly = true
	require.ErrorContains(t, b.Writable(t.Context()), "cannot be written")
}
