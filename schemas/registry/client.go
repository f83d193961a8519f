package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Client registers and looks up schemas. It is safe for concurrent use.
type Client struct {
	url     string
	sr      *sr.Client
	failure error // of the configuration

	mu      sync.RWMutex
	schemas map[uint32]string
}

// Option sets something of a Client.
type Option = sr.ClientOpt

// BasicAuth logs in with a user and a password.
func BasicAuth(user, password string) Option { return sr.BasicAuth(user, password) }

// HTTPClient sends the requests through c.
func HTTPClient(c *http.Client) Option { return sr.HTTPClient(c) }

const requestTimeout = 15 * time.Second

// New makes a client of the registry at address, such as
// "http://localhost:8081"; several addresses of one registry are divided by
// commas. It does not connect: Ping does.
func New(address string, opts ...Option) *Client {
	all := append([]Option{
		sr.URLs(strings.Split(address, ",")...),
		sr.HTTPClient(&http.Client{Timeout: requestTimeout}),
		sr.UserAgent("hopluu"),
	}, opts...)
	c := &Client{url: address, schemas: make(map[uint32]string)}
	c.sr, c.failure = sr.NewClient(all...)
	return c
}

// IncompatibleError says that a subject's compatibility level refuses a
// schema.
type IncompatibleError struct {
	Subject string
	Reasons []string
	// Level is the address of the subject's compatibility level.
	Level string
}

func (e *IncompatibleError) Error() string {
	return fmt.Sprintf("the new schema of %s is not compatible with the registered ones (%s): keep the old columns with their types, or lower the subject's compatibility level (curl -X PUT -H 'Content-Type: application/json' -d '{\"compatibility\": \"NONE\"}' %s)", e.Subject, strings.Join(e.Reasons, "; "), e.Level)
}

// level is the address of a subject's compatibility level, without a password.
func (c *Client) level(subject string) string {
	first, _, _ := strings.Cut(c.url, ",")
	u, err := url.Parse(first)
	if err != nil {
		return "/config/" + subject
	}
	u.User = nil
	return u.JoinPath("config", subject).String()
}

// Register gives the id of a schema under a subject, registering it when it
// is new there. An *IncompatibleError says why the registry refuses it.
func (c *Client) Register(ctx context.Context, subject, schema string) (uint32, error) {
	if c.failure != nil {
		return 0, c.wrap(c.failure)
	}
	id, err := c.sr.RegisterSchema(ctx, subject, sr.Schema{Schema: schema}, -1, -1)
	if err != nil {
		var refused *sr.ResponseError
		if errors.As(err, &refused) && refused.ErrorCode == sr.ErrIncompatibleSchema.Code {
			return 0, &IncompatibleError{Subject: subject, Level: c.level(subject), Reasons: c.reasons(ctx, subject, schema, refused)}
		}
		return 0, c.wrap(fmt.Errorf("subject %s: %w", subject, err))
	}
	return uint32(id), nil
}

// reasons asks why a schema was refused; the refusal's own message serves when
// the registry does not say more.
func (c *Client) reasons(ctx context.Context, subject, schema string, refused *sr.ResponseError) []string {
	res, err := c.sr.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), subject, -1, sr.Schema{Schema: schema})
	if err != nil || len(res.Messages) == 0 {
		return []string{refused.Message}
	}
	return res.Messages
}

// Schema gives the schema of an id. An id's schema never changes, so it is
// asked for once.
func (c *Client) Schema(ctx context.Context, id uint32) (string, error) {
	if c.failure != nil {
		return "", c.wrap(c.failure)
	}
	c.mu.RLock()
	s, ok := c.schemas[id]
	c.mu.RUnlock()
	if ok {
		return s, nil
	}
	schema, err := c.sr.SchemaByID(ctx, int(id))
	if err != nil {
		return "", c.wrap(fmt.Errorf("schema %d: %w", id, err))
	}
	c.mu.Lock()
	c.schemas[id] = schema.Schema
	c.mu.Unlock()
	return schema.Schema, nil
}

// Latest gives the newest schema of a subject; ok is false when the registry
// has no such subject.
func (c *Client) Latest(ctx context.Context, subject string) (schema string, ok bool, err error) {
	if c.failure != nil {
		return "", false, c.wrap(c.failure)
	}
	latest, err := c.sr.SchemaByVersion(ctx, subject, -1)
	var answer *sr.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return "", false, nil
	}
	if err != nil {
		return "", false, c.wrap(fmt.Errorf("subject %s: %w", subject, err))
	}
	return latest.Schema.Schema, true, nil
}

// Version is one schema of a subject.
type Version struct {
	ID     uint32
	Schema string
}

// Versions gives all schemas that a subject ever had, those that somebody deleted
// among them; none when the registry has no such subject.
func (c *Client) Versions(ctx context.Context, subject string) ([]Version, error) {
	if c.failure != nil {
		return nil, c.wrap(c.failure)
	}
	all, err := c.sr.Schemas(sr.WithParams(ctx, sr.ShowDeleted), subject)
	var answer *sr.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, c.wrap(fmt.Errorf("subject %s: %w", subject, err))
	}
	versions := make([]Version, len(all))
	for i, v := range all {
		versions[i] = Version{ID: uint32(v.ID), Schema: v.Schema.Schema}
	}
	return versions, nil
}

// SetCompatibility sets a subject's level; the empty subject is the default of
// all.
func (c *Client) SetCompatibility(ctx context.Context, subject string, level Level) error {
	if c.failure != nil {
		return c.wrap(c.failure)
	}
	var l sr.CompatibilityLevel
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("compatibility level %q is not known: %w", level, err)
	}
	for _, r := range c.sr.SetCompatibility(ctx, sr.SetCompatibility{Level: l}, subject) {
		if r.Err != nil {
			return c.wrap(fmt.Errorf("compatibility of %q: %w", subject, r.Err))
		}
	}
	return nil
}

// Ping checks that the registry answers.
func (c *Client) Ping(ctx context.Context) error {
	if c.failure != nil {
		return c.wrap(c.failure)
	}
	if _, err := c.sr.SupportedTypes(ctx); err != nil {
		return c.wrap(fmt.Errorf("%w; check registry.url and that the registry runs", err))
	}
	return nil
}

func (c *Client) wrap(err error) error {
	return fmt.Errorf("schema registry %s: %w", c.url, err)
}

// Refused tells whether the registry's address or login is not right, or whether
// it is no registry that answers there: waiting does not mend that.
func (c *Client) Refused(err error) bool {
	var answer *sr.ResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode < http.StatusInternalServerError && answer.StatusCode != http.StatusTooManyRequests
	}
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	return c.failure != nil || errors.As(err, &certificate) || errors.As(err, &plain)
}

// Passing tells whether a registry answered that it cannot at the moment.
func Passing(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.StatusCode >= http.StatusInternalServerError
}
