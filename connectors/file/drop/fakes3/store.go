package fakes3

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Store serves buckets under /<bucket>/<key>. Buckets need not be made.
type Store struct {
	// AccessKey must be in every request; a request without it is refused.
	AccessKey string
	// Page is how many objects one answer lists.
	Page int
	// ReadOnly refuses to write, Keeps to remove.
	ReadOnly, Keeps bool

	mu      sync.Mutex
	objects map[string]object // by "<bucket>/<key>"
}

type object struct {
	content  []byte
	modified time.Time
}

func (o object) tag() string {
	sum := md5.Sum(o.content)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// New makes an empty store.
func New(accessKey string) *Store {
	return &Store{AccessKey: accessKey, Page: 2, objects: map[string]object{}}
}

// Put stores an object as of a time.
func (s *Store) Put(path string, content []byte, modified time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = object{content, modified.UTC().Truncate(time.Second)}
}

// Get gives an object's content.
func (s *Store) Get(path string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[path]
	return o.content, ok
}

// Remove takes an object away.
func (s *Store) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, path)
}

func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	bucket, key, _ := strings.Cut(path, "/")
	switch {
	case !strings.Contains(r.Header.Get("Authorization"), "Credential="+s.AccessKey+"/"):
		refuse(w, http.StatusForbidden, "AccessDenied")
	case key == "" && r.Method == http.MethodGet:
		s.list(w, r, bucket)
	case r.Method == http.MethodPut && s.ReadOnly:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodPut:
		s.put(w, r, path)
	case r.Method == http.MethodDelete && s.Keeps:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case r.Method == http.MethodDelete:
		delete(s.objects, path)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.get(w, r, path)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

type apiError struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, apiError{Code: code})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	// A client that is gone reads no answer.
	_ = xml.NewEncoder(w).Encode(body)
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []entry
	CommonPrefixes        []prefix
}

type entry struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
}

type prefix struct{ Prefix string }

func (s *Store) list(w http.ResponseWriter, r *http.Request, bucket string) {
	query := r.URL.Query()
	var keys []string
	for path := range s.objects {
		if key, ok := strings.CutPrefix(path, bucket+"/"); ok && strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var l listing
	for i, key := range keys {
		if i == s.Page {
			l.IsTruncated, l.NextContinuationToken = true, keys[i-1]
			break
		}
		if rest := key[len(query.Get("prefix")):]; query.Get("delimiter") != "" && strings.Contains(rest, "/") {
			l.CommonPrefixes = append(l.CommonPrefixes, prefix{key[:len(key)-len(rest)+strings.Index(rest, "/")+1]})
			continue
		}
		o := s.objects[bucket+"/"+key]
		l.Contents = append(l.Contents, entry{key, o.modified.Format("2006-01-02T15:04:05.000Z"), o.tag(), len(o.content)})
	}
	answer(w, http.StatusOK, l)
}

func (s *Store) get(w http.ResponseWriter, r *http.Request, path string) {
	o, ok := s.objects[path]
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("ETag", o.tag())
	if match := r.Header.Get("If-Match"); match != "" && strings.Trim(match, `"`) != strings.Trim(o.tag(), `"`) {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	http.ServeContent(w, r, "", o.modified, bytes.NewReader(o.content))
}

func (s *Store) put(w http.ResponseWriter, r *http.Request, path string) {
	content, err := body(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	o := object{content, time.Now().UTC().Truncate(time.Second)}
	s.objects[path] = o
	w.Header().Set("ETag", o.tag())
	w.WriteHeader(http.StatusOK)
}

// body reads a request's content, also in the signed chunks of a streaming
// upload.
func body(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return io.ReadAll(r.Body)
	}
	in := bufio.NewReader(r.Body)
	var out []byte
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("chunk of size %q: %w", size, err)
		}
		if n == 0 {
			_, err := io.Copy(io.Discard, in) // trailers
			return out, err
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		if !bytes.HasSuffix(chunk, []byte("\r\n")) {
			return nil, errors.New("a chunk that does not end where it says")
		}
		out = append(out, chunk[:n]...)
	}
}
