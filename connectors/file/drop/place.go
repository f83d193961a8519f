package drop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Entry is a file in a place.
type Entry struct {
	Name     string
	Size     int64
	Modified time.Time
	// Tag changes with the content where the place knows it (an ETag), else it
	// is empty.
	Tag string
}

// Same tells whether nothing speaks for another content.
func (e Entry) Same(o Entry) bool {
	return e.Name == o.Name && e.Size == o.Size && e.Modified.Equal(o.Modified) && e.Tag == o.Tag
}

// Place is where files are.
type Place interface {
	// List gives the files, in no order.
	List(ctx context.Context) ([]Entry, error)
	// Open reads the file that the entry speaks of; a *ChangedError says that
	// it is no longer that file.
	Open(ctx context.Context, e Entry) (io.ReadCloser, error)
	// Writable finds out whether files can be put there, and leaves none behind
	// where it may remove what it wrote.
	Writable(ctx context.Context) error
	// Put writes a file whole or not at all, in place of one of that name.
	Put(ctx context.Context, name string, content io.Reader, size int64) error
	// Whole tells that files appear only once they are complete.
	Whole() bool
	// Close ends the use of the place.
	Close() error
	fmt.Stringer
}

// ChangedError says that a file was replaced, changed or removed since it was
// listed.
type ChangedError struct{ Name string }

func (e *ChangedError) Error() string { return e.Name + " has changed since it was listed" }

// ConfigError says what is wrong with a place's configuration.
type ConfigError struct{ Reason string }

func (e *ConfigError) Error() string { return e.Reason }

// Credentials are for a bucket; empty for the environment's (AWS_ACCESS_KEY_ID
// and so on).
type Credentials struct {
	AccessKey, SecretKey string
	Region               string // "us-east-1" when empty
}

// The schemes of locations.
const (
	schemeFile = "file"
	schemeS3   = "s3"      // over TLS
	schemeHTTP = "s3+http" // in the clear
)

var errLocation = errors.New("write a folder, or s3://host[:port]/bucket[/prefix] (s3+http:// without TLS)")

// Validate finds what is wrong with how a location is written: a *ConfigError.
func Validate(location string) error {
	_, err := parse(location)
	return err
}

// Open gives the place that a location names: a folder, or a bucket as
// s3://host[:port]/bucket[/prefix].
func Open(location string, credentials Credentials) (Place, error) {
	u, err := parse(location)
	if err != nil {
		return nil, err
	}
	if u.Scheme == schemeFile {
		return openFolder(u.Path)
	}
	return openBucket(u, credentials)
}

// parse gives the location of a folder the scheme file.
func parse(location string) (*url.URL, error) {
	scheme, _, ok := strings.Cut(location, "://")
	if !ok {
		if location == "" {
			return nil, &ConfigError{"the location is empty: " + errLocation.Error()}
		}
		return &url.URL{Scheme: schemeFile, Path: location}, nil
	}
	u, err := url.Parse(location)
	if err != nil {
		// The error of the parser holds the location, and it may hold secrets.
		return nil, &ConfigError{"the location is no URL: " + errLocation.Error()}
	}
	switch {
	case u.User != nil:
		return nil, &ConfigError{"the location holds credentials, and locations are logged: give them as credentials.access_key and credentials.secret_key"}
	case scheme == schemeFile && u.Path == "":
		return nil, &ConfigError{"the location is empty: " + errLocation.Error()}
	case scheme == schemeFile:
		return u, nil
	case scheme != schemeS3 && scheme != schemeHTTP:
		return nil, &ConfigError{fmt.Sprintf("location %s: %v", location, errLocation)}
	case u.Host == "" || strings.Trim(u.Path, "/") == "":
		return nil, &ConfigError{fmt.Sprintf("location %s names no bucket: %v", location, errLocation)}
	}
	return u, nil
}
