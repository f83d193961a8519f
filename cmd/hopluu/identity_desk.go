package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/spf13/cobra"
)

// deskFlag is --url, over identity.url.
type deskFlag struct{ url string }

func (f *deskFlag) on(command *cobra.Command) {
	command.Flags().StringVar(&f.url, "url", "", "the matcher's address, over identity.url (default "+config.DefaultIdentityURL+")")
}

// deskHelp tells how a command finds the matcher.
const deskHelp = `The running matcher ('hopluu processor run') answers, at --url or identity.url, to whoever
shows a token that its identity.reviewers know ('hopluu identity token'). Give yours in
HOPLUU_IDENTITY_TOKEN or identity.token. A reviewer needs no other configuration.`

// deskClient asks the matcher as a reviewer.
type deskClient struct {
	base, token string
	http        http.Client
}

// deskBound is longer than the matcher lets anybody wait.
const deskBound = 45 * time.Second

// desk finds the matcher. A reviewer's machine may have no configuration file.
func (a *app) desk(f *deskFlag) (*deskClient, error) {
	c := config.Identity{
		URL:   cmp.Or(os.Getenv("HOPLUU_IDENTITY_URL"), config.DefaultIdentityURL),
		Token: os.Getenv("HOPLUU_IDENTITY_TOKEN"),
	}
	if a.configPath != "" {
		whole, err := config.Load(a.configPath)
		if err != nil {
			return nil, err
		}
		c = whole.Identity
	}
	base := strings.TrimRight(cmp.Or(f.url, c.URL), "/")
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--url %q cannot be read: write the matcher's address as http://host:9464 or https://host", base)
	}
	if c.Token == "" {
		return nil, errors.New("no token is given: set HOPLUU_IDENTITY_TOKEN to yours; whoever runs the matcher makes one with 'hopluu identity token NAME'")
	}
	return &deskClient{base: base, token: c.Token, http: http.Client{Timeout: deskBound}}, nil
}

// ask does one request; body may be nil.
func (d *deskClient) ask(ctx context.Context, method, path string, query url.Values, body, into any) error {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(text)
	}
	at := d.base + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, at, send)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	answer, err := d.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the matcher at %s does not answer: %w; start it with 'hopluu processor run', or name its address with --url", d.base, err)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return fmt.Errorf("the matcher at %s broke off: %w", d.base, err)
	}
	if answer.StatusCode != http.StatusOK {
		var told struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(text, &told) != nil || told.Error == "" {
			return fmt.Errorf("%s answers %s: is it a matcher? name its address with --url", d.base, answer.Status)
		}
		return errors.New(told.Error)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s answers what is no review: is it a matcher? name its address with --url", d.base)
	}
	return nil
}

func (d *deskClient) list(ctx context.Context, rule string, offset, limit int) (out matcher.ListJSON, err error) {
	query := url.Values{"offset": {fmt.Sprint(offset)}, "limit": {fmt.Sprint(limit)}}
	if rule != "" {
		query.Set("rule", rule)
	}
	return out, d.ask(ctx, http.MethodGet, "/identity/reviews", query, nil, &out)
}

func (d *deskClient) pair(ctx context.Context, a, b string) (out matcher.PairJSON, err error) {
	return out, d.ask(ctx, http.MethodGet, "/identity/pair", url.Values{"a": {a}, "b": {b}}, nil, &out)
}

func (d *deskClient) say(ctx context.Context, said matcher.SayJSON) (out matcher.SaidJSON, err error) {
	return out, d.ask(ctx, http.MethodPost, "/identity/decisions", nil, said, &out)
}
