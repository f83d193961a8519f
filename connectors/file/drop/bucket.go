package drop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket is a prefix of a bucket. What has a further '/' in its name is a
// folder of its own and not looked into.
type bucket struct {
	client       *minio.Client
	name, prefix string
}

const defaultRegion = "us-east-1"

func openBucket(u *url.URL, c Credentials) (Place, error) {
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if prefix != "" {
		prefix += "/"
	}
	options := &minio.Options{
		Creds:        credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentials.FileAWSCredentials{}}),
		Secure:       u.Scheme == schemeS3,
		Region:       c.Region,
		BucketLookup: minio.BucketLookupPath,
	}
	if options.Region == "" {
		options.Region = defaultRegion
	}
	if c.AccessKey != "" {
		options.Creds = credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")
	}
	client, err := minio.New(u.Host, options)
	if err != nil {
		return nil, &ConfigError{fmt.Sprintf("location %s: %v", u, err)}
	}
	return &bucket{client: client, name: name, prefix: prefix}, nil
}

func (b *bucket) String() string {
	u := *b.client.EndpointURL()
	scheme := schemeS3
	if u.Scheme == "http" {
		scheme = schemeHTTP
	}
	return scheme + "://" + u.Host + "/" + b.name + "/" + b.prefix
}

// Whole is true: an object appears when it is complete.
func (b *bucket) Whole() bool { return true }

// Close has nothing to close.
func (b *bucket) Close() error { return nil }

func (b *bucket) List(ctx context.Context) ([]Entry, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing when we leave it
	var entries []Entry
	for object := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix}) {
		if object.Err != nil {
			return nil, b.listError(object.Err)
		}
		name := strings.TrimPrefix(object.Key, b.prefix)
		if name == "" || strings.Contains(name, "/") {
			continue
		}
		entries = append(entries, Entry{Name: name, Size: object.Size, Modified: object.LastModified, Tag: object.ETag})
	}
	return entries, ctx.Err()
}

// refusals are the codes of answers that trying again does not change
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList).
var refusals = []string{"AccessDenied", "AllAccessDisabled", "AccountProblem", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidBucketName", "NoSuchBucket"}

// listError tells what a person has to mend from what may pass.
func (b *bucket) listError(err error) error {
	var response minio.ErrorResponse
	if errors.As(err, &response) && slices.Contains(refusals, response.Code) {
		return &ConfigError{fmt.Sprintf("bucket %s cannot be listed (%s): check its name, the credentials, and their right to list and read", b, response.Code)}
	}
	return fmt.Errorf("bucket %s cannot be listed: %w", b, err)
}

func (b *bucket) Open(ctx context.Context, e Entry) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	if err := options.SetMatchETag(e.Tag); err != nil {
		return nil, fmt.Errorf("object %s: %w", e.Name, err)
	}
	object, err := b.client.GetObject(ctx, b.name, b.prefix+e.Name, options)
	if err != nil {
		return nil, b.readError(e, err)
	}
	return &downloading{object, b, e}, nil
}

// downloading tells a replaced object apart from a broken connection.
type downloading struct {
	*minio.Object
	bucket *bucket
	entry  Entry
}

func (d *downloading) Read(p []byte) (int, error) {
	n, err := d.Object.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = d.bucket.readError(d.entry, err)
	}
	return n, err
}

func (b *bucket) readError(e Entry, err error) error {
	var response minio.ErrorResponse
	if errors.As(err, &response) && (response.StatusCode == http.StatusPreconditionFailed || response.StatusCode == http.StatusNotFound) {
		return &ChangedError{e.Name}
	}
	return fmt.Errorf("object %s%s cannot be read: %w", b, e.Name, err)
}

func (b *bucket) Put(ctx context.Context, name string, content io.Reader, size int64) error {
	_, err := b.client.PutObject(ctx, b.name, b.prefix+name, content, size, minio.PutObjectOptions{ContentType: "text/csv; charset=utf-8"})
	if err != nil {
		return fmt.Errorf("object %s%s cannot be written: %w", b, name, err)
	}
	return nil
}

// probe is the object that Writable writes. Its name is hidden: it is never
// taken for a department's.
const probe = ".hopluu-check"

// Writable puts an empty object and removes it again, unless that is not
// allowed: reports need no right to remove.
func (b *bucket) Writable(ctx context.Context) error {
	if err := b.Put(ctx, probe, strings.NewReader(""), 0); err != nil {
		return err
	}
	err := b.client.RemoveObject(ctx, b.name, b.prefix+probe, minio.RemoveObjectOptions{})
	var refused minio.ErrorResponse
	if err != nil && !(errors.As(err, &refused) && refused.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("object %s%s cannot be removed: %w", b, probe, err)
	}
	return nil
}
