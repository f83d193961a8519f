package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v5"
	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

// startBound is how long a server may take to answer at start before it counts
// as unreachable.
const startBound = 10 * time.Second

// restartBound is how long a server that refuses connections is asked again:
// somebody waits for the command.
const restartBound = 2 * time.Second

// answers asks a server until it answers: one that restarts at the same moment
// refuses connections for a while. Any other error is final.
func answers(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := ask(ctx)
		if err != nil && last != nil && ctx.Err() != nil {
			err = last // which says more than that time is up
		}
		last = err
		if err != nil && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(200*time.Millisecond)), backoff.WithMaxElapsedTime(restartBound))
	if err != nil && last != nil {
		return last
	}
	return err
}

// patience is how a server is asked at the start of a command: a stage waits for
// it (waiting.until), everybody else is told that it is away.
type patience func(ctx context.Context, what string, refused func(error) bool, ask func(context.Context) error) error

// brief asks for as long as a restart may refuse connections; it is a patience.
func brief(ctx context.Context, _ string, _ func(error) bool, ask func(context.Context) error) error {
	return answers(ctx, ask)
}

// dialKafka asks once: those who show how things are say at once that it is away.
func dialKafka(ctx context.Context, c config.Config) (*topic.Client, error) {
	return reachKafka(ctx, c, func(ctx context.Context, _ string, _ func(error) bool, ask func(context.Context) error) error {
		return ask(ctx)
	})
}

// reachKafka gives a client of the cluster, which answered.
func reachKafka(ctx context.Context, c config.Config, asked patience) (client *topic.Client, err error) {
	kafka := topic.Config{Brokers: c.Kafka.Brokers, ClientID: "hopluu"}
	if c.Kafka.SASL.Mechanism != "" {
		kafka.SASL = &topic.SASL{Mechanism: c.Kafka.SASL.Mechanism, Username: c.Kafka.SASL.User, Password: c.Kafka.SASL.Password}
	}
	if c.Kafka.Compression == "zstd" {
		kafka.Compression = topic.Zstd
	}
	if kafka.TLS, err = kafkaTLS(c.Kafka.TLS); err != nil {
		return nil, err
	}
	err = asked(ctx, "Kafka", topic.Refused, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, startBound)
		defer cancel()
		client, err = topic.Dial(ctx, kafka)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kafka.brokers: %w", err)
	}
	return client, nil
}

// kafkaTLS is nil without encryption.
func kafkaTLS(c config.TLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return settings, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("kafka.tls.ca_file: %w: name the PEM file of the authority that signed the brokers' certificates", err)
	}
	settings.RootCAs = x509.NewCertPool()
	if !settings.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("kafka.tls.ca_file %s holds no PEM certificate: name the file of the authority that signed the brokers' certificates", c.CAFile)
	}
	return settings, nil
}

func dialRegistry(ctx context.Context, c config.Config) (*registry.Client, error) {
	return reachRegistry(ctx, c, brief)
}

// reachRegistry gives a client of the registry, which answered.
func reachRegistry(ctx context.Context, c config.Config, asked patience) (*registry.Client, error) {
	if c.Registry.URL == "" {
		return nil, errors.New("registry.url is not set: give the schema registry's address, or start one with 'hopluu registry run'")
	}
	client := registry.New(c.Registry.URL)
	err := asked(ctx, "the schema registry", client.Refused, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, startBound)
		defer cancel()
		return client.Ping(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("registry.url: %w", err)
	}
	return client, nil
}

func clickhouseOptions(c config.Config) (*clickhouse.Options, error) {
	if c.ClickHouse.DSN == "" {
		return nil, errors.New("clickhouse.dsn is not set: give one there or in HOPLUU_CLICKHOUSE_DSN, such as clickhouse://user:password@host:9000/default")
	}
	options, err := clickhouse.ParseDSN(c.ClickHouse.DSN)
	if err != nil {
		// The library's error may repeat the password.
		return nil, errors.New("clickhouse.dsn cannot be read: write clickhouse://user:password@host:9000/default or http://user:password@host:8123/default")
	}
	return options, nil
}

// clickhouseShards are the replicas of each shard of clickhouse.cluster.
func clickhouseShards(c config.Config) ([]*clickhouse.Options, error) {
	if (c.ClickHouse.Cluster == "") != (len(c.ClickHouse.Shards) == 0) {
		return nil, errors.New("clickhouse.cluster and clickhouse.shards go together: the cluster's name in remote_servers, and a dsn for each of its shards, with the shard's replicas as hosts")
	}
	var all []*clickhouse.Options
	for i, dsn := range c.ClickHouse.Shards {
		options, err := clickhouse.ParseDSN(dsn)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.shards: number %d cannot be read: write it as clickhouse.dsn, with all replicas: http://user:password@replica1:8123,replica2:8123/default", i+1)
		}
		all = append(all, options)
	}
	return all, nil
}

// dialClickHouse opens a connection, and refuses a server that is not there or
// does not let us in.
func dialClickHouse(ctx context.Context, options *clickhouse.Options) (driver.Conn, error) {
	return reachClickHouse(ctx, options, brief)
}

// reachClickHouse gives a connection to a server, which answered.
func reachClickHouse(ctx context.Context, options *clickhouse.Options, asked patience) (driver.Conn, error) {
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("clickhouse.dsn: %w", err)
	}
	err = asked(ctx, "ClickHouse", refusedByClickHouse, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, startBound)
		defer cancel()
		return conn.Ping(ctx)
	})
	if err != nil {
		return nil, errors.Join(pingError(options, err), conn.Close())
	}
	return conn, nil
}

// awaitClickHouse asks a server as reachClickHouse does.
func awaitClickHouse(ctx context.Context, options *clickhouse.Options, asked patience) error {
	conn, err := reachClickHouse(ctx, options, asked)
	if err != nil {
		return err
	}
	return conn.Close()
}

// ClickHouse's codes of what a person has to mend, beside unknownDatabase
// (https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp).
const (
	unknownUser          = 192
	wrongPassword        = 193
	requiredPassword     = 194
	accessDenied         = 497
	authenticationFailed = 516
)

// refusedByClickHouse tells whether waiting does not mend the error of a ping.
func refusedByClickHouse(err error) bool {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return slices.Contains([]int32{unknownDatabase, unknownUser, wrongPassword, requiredPassword, accessDenied, authenticationFailed}, exception.Code)
	}
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	return errors.As(err, &certificate) || errors.As(err, &plain)
}

func pingError(options *clickhouse.Options, err error) error {
	addr := strings.Join(options.Addr, ", ")
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		switch exception.Code {
		case unknownUser, wrongPassword, requiredPassword, authenticationFailed:
			return fmt.Errorf("clickhouse.dsn: %s refuses user %s: set the right user and password", addr, cmp.Or(options.Auth.Username, "default"))
		}
		return fmt.Errorf("clickhouse.dsn: %s: %w", addr, err)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the URL, in which the driver has its settings
	}
	return fmt.Errorf("clickhouse.dsn: %s does not answer: %w; check the address and its protocol (clickhouse:// for port 9000, http:// for port 8123), and that ClickHouse runs", addr, err)
}

// source is a configured source with the sector that describes it; of a drop of
// files only with the tables that are dropped.
type source struct {
	config.Source
	Described sectors.Sector
}

// files tells that the source is no database.
func (s source) files() bool { return s.Kind == config.KindFile }

// loadSectors reads the sector files.
func loadSectors(c config.Config) (*sectors.Set, error) {
	if c.SectorsDir != "" {
		return sectors.LoadDir(c.SectorsDir)
	}
	return sectors.Load()
}

// loadSources joins the sources with their sector files.
func loadSources(c config.Config) ([]source, error) {
	set, err := loadSectors(c)
	if err != nil {
		return nil, err
	}
	if len(c.Sources) == 0 {
		return nil, errors.New("configuration: sources is empty: name at least one database or drop of files")
	}
	var sources []source
	for _, s := range c.Sources {
		sector, ok := set.Sector(s.Sector)
		if !ok {
			return nil, fmt.Errorf("configuration: source %s names sector %s, which has no file: use one of %s", s.Name, s.Sector, strings.Join(sectorNames(set), ", "))
		}
		described := source{Source: s, Described: *sector}
		if described.files() {
			files := fileConfig(c, described)
			if err := files.Validate(); err != nil {
				return nil, fmt.Errorf("configuration: %w", err)
			}
			described.Described = files.Captured()
		}
		sources = append(sources, described)
	}
	return sources, nil
}

func sectorNames(set *sectors.Set) []string {
	var names []string
	for _, s := range set.Sectors {
		names = append(names, s.Sector)
	}
	return names
}

// choose gives the named sources, or all when none is named.
func choose(sources []source, names []string) ([]source, error) {
	if len(names) == 0 {
		return sources, nil
	}
	var chosen []source
	for i, name := range names {
		at := slices.IndexFunc(sources, func(s source) bool { return s.Name == name })
		switch {
		case at < 0:
			var known []string
			for _, s := range sources {
				known = append(known, s.Name)
			}
			return nil, fmt.Errorf("source %s is not in the configuration, which has %s", name, strings.Join(known, ", "))
		case slices.Contains(names[:i], name):
			return nil, fmt.Errorf("source %s is named twice", name)
		}
		chosen = append(chosen, sources[at])
	}
	return chosen, nil
}

// reachable gives the named sources, or all, for commands that connect to
// them.
func reachable(c config.Config, names []string) ([]source, error) {
	sources, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	if sources, err = choose(sources, names); err != nil {
		return nil, err
	}
	for _, s := range sources {
		if s.files() {
			continue
		}
		if err := checkDSN(s.Source); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

func checkDSN(s config.Source) error {
	if s.DSN == "" {
		return fmt.Errorf("sources: %s has no dsn: give its connection string there or in HOPLUU_SOURCE_%s_DSN", s.Name, strings.ToUpper(s.Name))
	}
	parsed, err := pgx.ParseConfig(s.DSN)
	if err != nil {
		// The library's error may repeat the password.
		return fmt.Errorf("sources: the dsn of %s cannot be read: write postgres://user:password@host:5432/database", s.Name)
	}
	if parsed.Database == "" {
		return fmt.Errorf("sources: the dsn of %s names no database: write postgres://user:password@host:5432/database", s.Name)
	}
	return nil
}

func newTokenizer(c config.Config) (*token.Tokenizer, error) {
	secret, err := c.Tokens.TokenKey()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	tokens, err := token.New(token.Key{Version: c.Tokens.Version, Secret: secret})
	if err != nil {
		return nil, fmt.Errorf("configuration: tokens: %w", err)
	}
	return tokens, nil
}

// recordTokenizer makes the tokens that records are named with; nil when there is
// no record key.
func recordTokenizer(c config.Config) (*token.Tokenizer, error) {
	if !c.Tokens.RecordKeySet() {
		return nil, nil
	}
	secret, err := c.Tokens.RecordSecret()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if others, err := c.Tokens.OldKeys(); err == nil { // told by oldTokenizers
		if now, err := c.Tokens.TokenKey(); err == nil { // told by newTokenizer
			others[0] = now
		}
		for _, other := range others {
			if bytes.Equal(other, secret) {
				return nil, errors.New("configuration: tokens.record_key_file holds a token key: make another for the record key with 'openssl rand -hex 32', for it stays when the other is changed")
			}
		}
	}
	records, err := token.NewRecord(token.Key{Version: c.Tokens.RecordVersion, Secret: secret})
	if err != nil {
		return nil, fmt.Errorf("configuration: tokens: %w", err)
	}
	return records, nil
}

// oldTokenizers are those of the keys before the one in force.
func oldTokenizers(c config.Config) ([]*token.Tokenizer, error) {
	secrets, err := c.Tokens.OldKeys()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var all []*token.Tokenizer
	for _, version := range slices.Sorted(maps.Keys(secrets)) {
		tokens, err := token.New(token.Key{Version: version, Secret: secrets[version]})
		if err != nil {
			return nil, fmt.Errorf("configuration: tokens.old: %w", err)
		}
		all = append(all, tokens)
	}
	return all, nil
}

// vaultRing is what seals and opens the vault's values; nil when no key is set.
func vaultRing(c config.Config) (*seal.Ring, error) {
	if !c.Vault.Set() {
		return nil, nil
	}
	secret, err := c.Vault.VaultKey()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	secrets, err := c.Vault.OldKeys()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var old []seal.Key
	for _, version := range slices.Sorted(maps.Keys(secrets)) {
		old = append(old, seal.Key{Version: version, Secret: secrets[version]})
	}
	ring, err := seal.New(seal.Key{Version: c.Vault.Version, Secret: secret}, old...)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return ring, nil
}

func topicSettings(c config.Config) connectors.Topics {
	return connectors.Topics{
		Partitions: c.Topics.Partitions, Replication: c.Topics.Replication,
		MinISR: c.Topics.MinInsyncReplicas, Retention: c.Topics.Retention,
	}
}
